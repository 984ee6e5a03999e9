package classfile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzClass(f *testing.F) {
	for _, s := range []source{
		{name: "a/B", implements: []string{batchlet, reader}, notes: named1("日本語"), member: "B"},
		{name: "a/C", super: "x/Y", ctor: "@Inject", notes: []note{{kind: named, value: nestedArrays(3)}}},
	} {
		f.Add(s.bytes())
	}
	var p parser
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := p.parse(b)
		if err != nil {
			return
		}
		// What one class says is what a jar with it says.
		name, ok := decode(c.name)
		if !ok || !utf8.ValidString(c.named) || !utf8.ValidString(c.simple) || len(name) > 60_000 {
			return
		}
		access, count := c.access, len(c.interfaces)
		again, err := p.parse(b)
		if err != nil || again.access != access || len(again.interfaces) != count {
			t.Errorf("read again: %v, %v", again, err)
		}
		if class, _ := locate(name + suffix); class != name || access&accModule != 0 || strings.HasPrefix(name, "java/") {
			return
		}
		if r := scan(t, inMemory("a.jar", jarOf(packed(name+suffix, b)))); r.Classes != 1 {
			t.Errorf("%d classes in a jar with %q, want 1; said %v", r.Classes, name, r.said())
		}
	})
}

func FuzzJar(f *testing.F) {
	for _, row := range archives {
		for _, b := range row.jars {
			f.Add(b)
		}
	}
	f.Add(rawZip(nil, 0, 3, numbered(".class")))
	f.Fuzz(func(t *testing.T, b []byte) {
		one, c := costOf(t, map[string][]byte{"a.jar": b, "b.jar": b})
		c.check(t)
		if two := scan(t, inMemory("a.jar", b), inMemory("b.jar", b)); fmt.Sprint(one) != fmt.Sprint(two) {
			t.Errorf("said %v, then %v", one, two)
		}
		for i, c := range one.Components {
			if c.Class == "" || c.Ref == "" || len(c.Kinds) == 0 || i > 0 && c.Class <= one.Components[i-1].Class {
				t.Errorf("component %d: %+v", i, c)
			}
			if strings.HasPrefix(c.Origin, "b.jar") {
				t.Errorf("%s is of %s, but a.jar comes first", c.Class, c.Origin)
			}
		}
	})
}

// FuzzEntry puts bytes into a jar whose directory is right, where FuzzJar
// seldom comes.
func FuzzEntry(f *testing.F) {
	for _, name := range []string{"a/B.class", "META-INF/versions/9/a/B.class", "META-INF/MANIFEST.MF", "WEB-INF/lib/b.jar"} {
		for _, b := range [][]byte{source{name: "a/B", implements: []string{batchlet}}.bytes(), manifest("Multi-Release: true").body, job("a/B")} {
			f.Add(name, deflate(bytes.NewReader(b)), uint32(len(b)), uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, name string, packed []byte, unpacked uint32, count uint8) {
		if len(name) > 1000 {
			return
		}
		r, c := costOf(t, map[string][]byte{
			"a.jar": rawZip(packed, unpacked, int(count), func(int) string { return name }),
			"b.jar": jarOf(file{name: name, body: packed, plain: true}),
		})
		c.check(t)
		if len(r.Warnings) > 10*maxWarnings {
			t.Errorf("%d warnings", len(r.Warnings))
		}
	})
}

func FuzzBatchXML(f *testing.F) {
	for _, refs := range []string{`<ref id="one" class="a.B"/>`, `<!-- x --><ref id="1" class=""/><ref/>`, `<x:ref xmlns:x="y" id="&lt;" class="b"/>`} {
		f.Add(batchXML(refs).body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _ := parseRefs(b)
		if len(r.ids) != len(r.class) {
			t.Errorf("%d ids, but %d classes", len(r.ids), len(r.class))
		}
		for _, id := range r.ids {
			if id == "" || r.class[id] == "" {
				t.Errorf("id %q for class %q", id, r.class[id])
			}
		}
	})
}
