package classfile

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/japanese"
)

// A batch.xml is read in the encoding that it declares, as job XML is.
func TestBatchXMLInAnyEncoding(t *testing.T) {
	text, err := japanese.ShiftJIS.NewEncoder().String(`<?xml version="1.0" encoding="Shift_JIS"?><batch-artifacts><ref id="集計" class="a.B"/></batch-artifacts>`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseRefs([]byte(text))
	if err != nil || r.class["集計"] != "a.B" {
		t.Errorf("%v, %v", r.class, err)
	}
	if _, err := parseRefs([]byte(`<?xml version="1.0" encoding="klingon"?><batch-artifacts/>`)); err == nil || !strings.Contains(err.Error(), `got "klingon"`) {
		t.Errorf("an unknown encoding: %v", err)
	}
}
