package classfile

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// classSource is a class to assemble. Its defaults are those of javac: a public
// class that extends Object and has a public constructor.
type classSource struct {
	name       string
	super      string
	implements []string
	access     uint16             // 0: public
	ctor       string             // "": public; "private", "@Inject", "args"
	notes      []annotationSource // annotations of the class
	member     string             // simple name in InnerClasses
	strings    []string           // more constants
}

type annotationSource struct {
	kind  string // javax/inject/Named
	value []byte // an element_value called "value"; nil: none
	text  string // used if value is nil and text is not ""
}

type assembler struct {
	pool  bytes.Buffer
	count uint16
	utf   map[string]uint16
}

func u2(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func u4(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func (a *assembler) addConstant(b ...byte) uint16 {
	a.pool.Write(b)
	a.count++
	return a.count
}

func (a *assembler) addUTF8(s string) uint16 {
	if i, ok := a.utf[s]; ok {
		return i
	}
	i := a.addConstant(append(append([]byte{1}, u2(len(s))...), s...)...)
	a.utf[s] = i
	return i
}

func (a *assembler) addClass(name string) uint16 {
	i := a.addUTF8(name)
	return a.addConstant(append([]byte{7}, u2(int(i))...)...)
}

// assemble assembles the class.
func (s classSource) assemble() []byte {
	a := &assembler{utf: map[string]uint16{}}
	a.addConstant(append([]byte{5}, make([]byte, 8)...)...) // a long has two places in the pool
	a.count++
	for _, t := range s.strings {
		a.addUTF8(t)
	}
	var body bytes.Buffer
	put := func(v ...int) {
		for _, v := range v {
			body.Write(u2(v))
		}
	}
	access := int(s.access)
	if access == 0 {
		access = accPublic | 0x20
	}
	super := "java/lang/Object"
	if s.super != "" {
		super = s.super
	}
	put(access, int(a.addClass(s.name)), int(a.addClass(super)), len(s.implements))
	for _, i := range s.implements {
		put(int(a.addClass(i)))
	}
	put(1, 2, int(a.addUTF8("count")), int(a.addUTF8("I")), 0) // a field
	body.Write(s.methodBytes(a))
	attributes := [][]byte{attribute2(a, "SourceFile", u2(int(a.addUTF8("X.java"))))}
	if s.notes != nil {
		attributes = append(attributes, attribute2(a, "RuntimeVisibleAnnotations", annotations(a, s.notes)))
	}
	if s.member != "" {
		in := append(u2(1), u2(int(a.addClass(s.name)))...)
		in = append(append(append(in, u2(0)...), u2(int(a.addUTF8(s.member)))...), u2(9)...)
		attributes = append(attributes, attribute2(a, "InnerClasses", in))
	}
	put(len(attributes))
	body.Write(bytes.Join(attributes, nil))

	out := append(u4(0xcafebabe), u4(61)...)
	out = append(append(out, u2(int(a.count)+1)...), a.pool.Bytes()...)
	return append(out, body.Bytes()...)
}

func (s classSource) methodBytes(a *assembler) []byte {
	out := u2(1)
	access, descriptor, attributes := 1, "()V", u2(0)
	switch s.ctor {
	case "private":
		access = 2
	case "args":
		descriptor = "(I)V"
	case "@Inject":
		descriptor = "(Ljava/lang/String;)V"
		attributes = append(u2(1), attribute2(a, "RuntimeVisibleAnnotations", annotations(a, []annotationSource{{kind: "javax/inject/Inject"}}))...)
	}
	for _, v := range []int{access, int(a.addUTF8("<init>")), int(a.addUTF8(descriptor))} {
		out = append(out, u2(v)...)
	}
	return append(out, attributes...)
}

func attribute2(a *assembler, name string, b []byte) []byte {
	return append(append(u2(int(a.addUTF8(name))), u4(len(b))...), b...)
}

func annotations(a *assembler, notes []annotationSource) []byte {
	out := u2(len(notes))
	for _, n := range notes {
		out = append(out, u2(int(a.addUTF8("L"+n.kind+";")))...)
		value := n.value
		if value == nil && n.text != "" {
			value = append([]byte{'s'}, u2(int(a.addUTF8(n.text)))...)
		}
		if value == nil {
			out = append(out, u2(0)...)
			continue
		}
		out = append(append(append(out, u2(1)...), u2(int(a.addUTF8("value")))...), value...)
	}
	return out
}

// surrogates writes a character beyond U+FFFF as class files do.
func surrogates(r rune) string {
	r -= 0x10000
	unit := func(u rune) string {
		return string([]byte{0xe0 | byte(u>>12), 0x80 | byte(u>>6)&0x3f, 0x80 | byte(u)&0x3f})
	}
	return unit(0xd800+r>>10) + unit(0xdc00+r&0x3ff)
}

// nestedArrays returns an annotation value of nested arrays.
func nestedArrays(depth int) []byte {
	return []byte(strings.Repeat("[\x00\x01", depth) + "I\x00\x01")
}
