package jsl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"olympos.io/encoding/edn"
)

// Another EDN reader understands what this package writes.
func TestEDNIsReadByOthers(t *testing.T) {
	for seed := range seedCount(30, 100) {
		j := newGenerator(seed).randomJob()
		text, err := j.Format(EDN)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := edn.Unmarshal(text, &got); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if diff := cmp.Diff(plainValue(objectFrom(j.writtenFields()), false), got); diff != "" {
			t.Fatalf("seed %d: (-want +got)\n%s\n%s", seed, diff, text)
		}
	}
}

// plainValue converts a tree to the values that the other reader returns.
func plainValue(n *node, free bool) any {
	switch n.kind {
	case object:
		m := map[any]any{}
		for _, x := range n.members {
			var key any = edn.Keyword(strings.ReplaceAll(x.name, "_", "-"))
			if free {
				key = x.name
			}
			m[key] = plainValue(x.value, (x.name == "properties" || x.name == "limits") && x.value.kind == object)
		}
		return m
	case array:
		a := []any{}
		for _, item := range n.items {
			a = append(a, plainValue(item, false))
		}
		return a
	case number:
		return int64(Int(n.text).Or(-1))
	case truth:
		return n.text == "true"
	}
	return n.text
}

func TestAnswerIsAJob(t *testing.T) {
	j, err := Parse(EDN, []byte(`{:db/id 1 :job/name "J" :job/stats {:total 1} :job/definition {:id "J" :steps [{:id "s"}]}}`))
	if err != nil || j.ID != "J" || j.Find("s") == nil {
		t.Errorf("%+v, %v", j, err)
	}
}
