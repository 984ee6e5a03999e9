package classfile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzClass(f *testing.F) {
	for _, s := range []classSource{
		{name: "a/B", implements: []string{batchlet, reader}, notes: named1("日本語"), member: "B"},
		{name: "a/C", super: "x/Y", ctor: "@Inject", notes: []annotationSource{{kind: named, value: nestedArrays(3)}}},
	} {
		f.Add(s.assemble())
	}
	var p parser
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := p.parseClass(b)
		if err != nil {
			return
		}
		// A class gives the same result alone and in a jar.
		name, ok := decodeUTF8(c.name)
		if !ok || !utf8.ValidString(c.named) || !utf8.ValidString(c.simple) || len(name) > 60_000 {
			return
		}
		access, count := c.access, len(c.interfaces)
		again, err := p.parseClass(b)
		if err != nil || again.access != access || len(again.interfaces) != count {
			t.Errorf("read again: %v, %v", again, err)
		}
		if class, _ := classAt(name + classSuffix); class != name || access&accModule != 0 || strings.HasPrefix(name, "java/") {
			return
		}
		if r := scanJars(t, jarInMemory("a.jar", jarOf(packedFile(name+classSuffix, b)))); r.Classes != 1 {
			t.Errorf("%d classes in a jar with %q, want 1; said %v", r.Classes, name, r.warningLines())
		}
	})
}

func FuzzJar(f *testing.F) {
	for _, row := range archives {
		for _, b := range row.jars {
			f.Add(b)
		}
	}
	f.Add(rawZip(nil, 0, 3, numberedNames(".class")))
	f.Fuzz(func(t *testing.T, b []byte) {
		one, c := costOf(t, map[string][]byte{"a.jar": b, "b.jar": b})
		c.checkBudget(t)
		if two := scanJars(t, jarInMemory("a.jar", b), jarInMemory("b.jar", b)); fmt.Sprint(one) != fmt.Sprint(two) {
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

// FuzzEntry puts bytes into an entry of a jar with a valid directory, a case
// that FuzzJar rarely generates.
func FuzzEntry(f *testing.F) {
	for _, name := range []string{"a/B.class", "META-INF/versions/9/a/B.class", "META-INF/MANIFEST.MF", "WEB-INF/lib/b.jar"} {
		for _, b := range [][]byte{classSource{name: "a/B", implements: []string{batchlet}}.assemble(), manifestFile("Multi-Release: true").body, batchletJar("a/B")} {
			f.Add(name, deflateAll(bytes.NewReader(b)), uint32(len(b)), uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, name string, packed []byte, unpacked uint32, count uint8) {
		if len(name) > 1000 {
			return
		}
		r, c := costOf(t, map[string][]byte{
			"a.jar": rawZip(packed, unpacked, int(count), func(int) string { return name }),
			"b.jar": jarOf(jarFile{name: name, body: packed, plain: true}),
		})
		c.checkBudget(t)
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
