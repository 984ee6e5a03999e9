package classfile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// batchRefs holds the ids that a META-INF/batch.xml gives to classes (Jakarta
// Batch 10.7.1).
type batchRefs struct {
	jar   string
	entry string
	ids   []string          // in the order of their first appearance
	class map[string]string // by id; the last one wins, as in the runtime
}

// parseRefs parses a META-INF/batch.xml. If it fails, it also returns the ids
// before the error.
func parseRefs(b []byte) (r batchRefs, err error) {
	r.class = map[string]string{}
	if b, err = jsl.DecodeXML(b); err != nil {
		return r, err
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	// Decoded already.
	d.CharsetReader = func(_ string, text io.Reader) (io.Reader, error) { return text, nil }
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		if e, ok := t.(xml.StartElement); ok && e.Name.Local == "ref" {
			r.addRef(attribute(e, "id"), attribute(e, "class"))
		}
		if len(r.ids) > maxRefs {
			return r, fmt.Errorf("has more than %d ref elements", maxRefs)
		}
	}
}

func (r *batchRefs) addRef(id, class string) {
	if id == "" || class == "" {
		return
	}
	if _, ok := r.class[id]; !ok {
		r.ids = append(r.ids, id)
	}
	r.class[id] = class
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}
