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

// class is what one class file says. Names are as in the file (modified UTF-8,
// with slashes) and good until the next one is parsed.
type class struct {
	access      uint16
	name        []byte
	super       []byte // nil: java.lang.Object and modules
	interfaces  [][]byte
	constructor Constructor
	isNamed     bool
	named       string // the value of @Named, "" if it stands alone
	simple      string // of a class in a class the name without its outer ones
}

// parser reads class files (JVMS 4), one after the other, into the same memory.
type parser struct {
	b    []byte
	off  int
	err  error
	pool []uint32 // offsets of the constants' tags; 0: no constant
	c    class

	// Constants that are read at the end, so that each is read once, however
	// often it is named.
	self, given, simple uint16
}

var errShort = errors.New("is truncated")

// parse reads one class file. Any version will do: a newer one still has its
// parts in the same places, unless it has a new kind of constant.
func (p *parser) parse(b []byte) (*class, error) {
	*p = parser{b: b, pool: p.pool[:0], c: class{interfaces: p.c.interfaces[:0], constructor: None}}
	if p.u4() != 0xcafebabe && p.err == nil {
		return nil, errors.New("is no class file")
	}
	p.skip(4)
	p.readPool()
	p.c.access = p.u2()
	p.self = p.u2()
	p.c.name = p.className(p.self)
	if p.err == nil && !validName(p.c.name) {
		p.fail("has a name that no class may have")
	}
	p.readAncestors()
	p.members(nil)
	p.members(p.method)
	p.attributes(p.classAttribute)
	if p.err == nil && p.off != len(p.b) {
		p.fail("goes on after its end")
	}
	p.c.named, p.c.simple = p.text(p.given), p.text(p.simple)
	return &p.c, p.err
}

// validName checks what JVMS 4.2.1 asks of names. A dot would make two classes
// look the same.
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
			p.fail("names too many interfaces")
		}
		if p.err != nil {
			return
		}
		p.c.interfaces = append(p.c.interfaces, name)
	}
}

// members walks over fields or methods.
func (p *parser) members(visit func(access, name, descriptor uint16)) {
	for range p.u2() {
		if p.err != nil {
			return
		}
		access, name, descriptor := p.u2(), p.u2(), p.u2()
		if visit == nil {
			p.attributes(nil)
		} else {
			visit(access, name, descriptor)
		}
	}
}

// method looks for constructors: only they tell who can make one.
func (p *parser) method(access, name, descriptor uint16) {
	if string(p.utf8(name)) != "<init>" {
		p.attributes(nil)
		return
	}
	if string(p.utf8(descriptor)) == "()V" && access&p.c.access&accPublic != 0 {
		p.c.constructor = Public
	}
	p.attributes(func(name []byte) {
		if string(name) == "RuntimeVisibleAnnotations" && p.c.constructor == None && p.injected() {
			p.c.constructor = Inject
		}
	})
}

// attributes shows the name of each attribute; what visit does not read is
// passed over.
func (p *parser) attributes(visit func(name []byte)) {
	for range p.u2() {
		name, n := p.u2(), int(p.u4())
		end := p.off + n
		if p.err != nil || end > len(p.b) {
			p.fail("is truncated")
			return
		}
		if visit != nil {
			if visit(p.utf8(name)); p.off > end {
				p.fail("has an attribute that is longer than it says")
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

// readSimpleName finds the entry of the class itself (JVMS 4.7.6). Names are
// compared by where they are: a compiler writes each once, and 65,535 long ones
// would take long.
func (p *parser) readSimpleName() {
	for range p.u2() {
		inner, _, name := p.u2(), p.u2(), p.u2()
		p.skip(2)
		if p.err != nil {
			return
		}
		if p.nameIndex(inner) == p.nameIndex(p.self) {
			p.simple = name
		}
	}
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes, or zeros once something failed.
func (p *parser) take(n int) []byte {
	if p.err != nil || n > len(p.b)-p.off {
		if p.err == nil {
			p.err = errShort
		}
		return make([]byte, 4)
	}
	p.off += n
	return p.b[p.off-n : p.off]
}

func (p *parser) u1() uint8  { return p.take(1)[0] }
func (p *parser) u2() uint16 { return binary.BigEndian.Uint16(p.take(2)) }
func (p *parser) u4() uint32 { return binary.BigEndian.Uint32(p.take(4)) }
func (p *parser) skip(n int) { p.take(n) }
