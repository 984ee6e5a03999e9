package classfile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Access flags (JVMS 4.1 and 4.6).
const (
	accPublic    = 0x0001
	accInterface = 0x0200
	accAbstract  = 0x0400
	accModule    = 0x8000
)

// classInfo is the parsed content of one class file. Names are as in the file
// (modified UTF-8, with slashes) and valid until the next class is parsed.
type classInfo struct {
	access      uint16
	name        []byte
	super       []byte // nil: java.lang.Object and modules
	interfaces  [][]byte
	constructor Constructor
	isNamed     bool
	named       string // value of @Named, "" for a bare @Named
	simple      string // name of a nested class without its outer classes
}

// parser parses class files (JVMS 4) and reuses its memory.
type parser struct {
	b    []byte
	off  int
	err  error
	pool []uint32 // offsets of the constants' tags; 0: no constant
	c    classInfo

	// Indexes of constants that are decoded at the end, so that each is decoded
	// once, however often the file refers to it.
	self, given, simple uint16
}

var errShort = errors.New("is truncated")

// parseClass parses one class file of any version. Newer versions keep the
// layout, unless they have a new kind of constant.
func (p *parser) parseClass(b []byte) (*classInfo, error) {
	*p = parser{b: b, pool: p.pool[:0], c: classInfo{interfaces: p.c.interfaces[:0], constructor: None}}
	if p.u4() != 0xcafebabe && p.err == nil {
		return nil, errors.New("is not a class file")
	}
	p.skipBytes(4)
	p.readPool()
	p.c.access = p.u2()
	p.self = p.u2()
	p.c.name = p.className(p.self)
	if p.err == nil && !validName(p.c.name) {
		p.failWith("has an invalid class name")
	}
	p.readAncestors()
	p.readMembers(nil)
	p.readMembers(p.readMethod)
	p.readAttributes(p.classAttribute)
	if p.err == nil && p.off != len(p.b) {
		p.failWith("has extra bytes after its end")
	}
	p.c.named, p.c.simple = p.textAt(p.given), p.textAt(p.simple)
	return &p.c, p.err
}

// validName checks a name against JVMS 4.2.1. A dot would make two classes look
// the same.
func validName(name []byte) bool {
	before := byte('/')
	for _, c := range name {
		if c == '.' || c == ';' || c == '[' || c == '/' && before == '/' {
			return false
		}
		before = c
	}
	return before != '/'
}

func (p *parser) readAncestors() {
	if super := p.u2(); super != 0 {
		p.c.super = p.className(super)
	}
	left := maxAncestors
	for range p.u2() {
		name := p.className(p.u2())
		if left -= len(name) + 16; left < 0 {
			p.failWith("has too many interfaces")
		}
		if p.err != nil {
			return
		}
		p.c.interfaces = append(p.c.interfaces, name)
	}
}

// readMembers reads fields or methods.
func (p *parser) readMembers(visit func(access, name, descriptor uint16)) {
	for range p.u2() {
		if p.err != nil {
			return
		}
		access, name, descriptor := p.u2(), p.u2(), p.u2()
		if visit == nil {
			p.readAttributes(nil)
		} else {
			visit(access, name, descriptor)
		}
	}
}

// readMethod reads a method. If it is a constructor, it sets p.c.constructor.
func (p *parser) readMethod(access, name, descriptor uint16) {
	if string(p.utf8At(name)) != "<init>" {
		p.readAttributes(nil)
		return
	}
	if string(p.utf8At(descriptor)) == "()V" && access&p.c.access&accPublic != 0 {
		p.c.constructor = Public
	}
	p.readAttributes(func(name []byte) {
		if string(name) == "RuntimeVisibleAnnotations" && p.c.constructor == None && p.hasInject() {
			p.c.constructor = Inject
		}
	})
}

// readAttributes calls visit with the name of each attribute, and skips the
// bytes that visit does not read.
func (p *parser) readAttributes(visit func(name []byte)) {
	for range p.u2() {
		name, n := p.u2(), int(p.u4())
		end := p.off + n
		if p.err != nil || end > len(p.b) {
			p.failWith("is truncated")
			return
		}
		if visit != nil {
			if visit(p.utf8At(name)); p.off > end {
				p.failWith("has an attribute with a wrong length")
				return
			}
		}
		p.off = end
	}
}

func (p *parser) classAttribute(name []byte) {
	switch string(name) {
	case "RuntimeVisibleAnnotations":
		p.readNamed()
	case "InnerClasses":
		p.readSimpleName()
	}
}

// readSimpleName finds the entry of the class itself (JVMS 4.7.6). It compares
// names by index: a compiler writes each name once, and comparing 65,535 long
// names would take long.
func (p *parser) readSimpleName() {
	for range p.u2() {
		inner, _, name := p.u2(), p.u2(), p.u2()
		p.skipBytes(2)
		if p.err != nil {
			return
		}
		if p.nameIndex(inner) == p.nameIndex(p.self) {
			p.simple = name
		}
	}
}

func (p *parser) failWith(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// nextBytes consumes and returns the next n bytes. After an error it returns
// zeros.
func (p *parser) nextBytes(n int) []byte {
	if p.err != nil || n > len(p.b)-p.off {
		if p.err == nil {
			p.err = errShort
		}
		return make([]byte, 4)
	}
	p.off += n
	return p.b[p.off-n : p.off]
}

func (p *parser) u1() uint8       { return p.nextBytes(1)[0] }
func (p *parser) u2() uint16      { return binary.BigEndian.Uint16(p.nextBytes(2)) }
func (p *parser) u4() uint32      { return binary.BigEndian.Uint32(p.nextBytes(4)) }
func (p *parser) skipBytes(n int) { p.nextBytes(n) }
