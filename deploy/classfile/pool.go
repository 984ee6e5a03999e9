package classfile

// Tags of constants (JVMS 4.4).
const (
	tagUTF8  = 1
	tagClass = 7
)

// constantLen is the length of each kind of constant, without its tag; 0 means
// that there is no such kind.
var constantLen = [21]int{
	3: 4, 4: 4, // Integer, Float
	5: 8, 6: 8, // Long, Double
	7: 2, 8: 2, // Class, String
	9: 4, 10: 4, 11: 4, 12: 4, // Fieldref, Methodref, InterfaceMethodref, NameAndType
	15: 3, 16: 2, 17: 4, 18: 4, // MethodHandle, MethodType, Dynamic, InvokeDynamic
	19: 2, 20: 2, // Module, Package
}

// readPool stores the offsets of the constants. It decodes none, since most are
// never used.
func (p *parser) readPool() {
	count := int(p.u2())
	p.pool = append(p.pool, 0)
	for len(p.pool) < count && p.err == nil {
		p.pool = append(p.pool, uint32(p.off))
		switch tag := p.u1(); {
		case tag == tagUTF8:
			p.skipBytes(int(p.u2()))
		case int(tag) >= len(constantLen) || constantLen[tag] == 0:
			if p.err == nil {
				p.failWith("has a constant of the unknown kind %d", tag)
			}
		default:
			p.skipBytes(constantLen[tag])
			if tag == 5 || tag == 6 {
				p.pool = append(p.pool, 0) // an 8-byte constant takes two indexes
			}
		}
	}
}

// constantAt returns the bytes after the tag of a constant.
func (p *parser) constantAt(i uint16, tag uint8) []byte {
	if p.err != nil {
		return nil
	}
	if int(i) >= len(p.pool) || p.pool[i] == 0 || p.b[p.pool[i]] != tag {
		p.failWith("refers to constant %d, which is missing or of another kind", i)
		return nil
	}
	return p.b[p.pool[i]+1:]
}

func (p *parser) utf8At(i uint16) []byte {
	b := p.constantAt(i, tagUTF8)
	if b == nil {
		return nil
	}
	n := int(b[0])<<8 | int(b[1])
	return b[2 : 2+n]
}

func (p *parser) className(i uint16) []byte { return p.utf8At(p.nameIndex(i)) }

func (p *parser) nameIndex(class uint16) uint16 {
	b := p.constantAt(class, tagClass)
	if b == nil {
		return 0
	}
	return uint16(b[0])<<8 | uint16(b[1])
}

// textAt returns the decoded text of a constant, "" for index 0.
func (p *parser) textAt(i uint16) string {
	if i == 0 {
		return ""
	}
	s, ok := decodeUTF8(p.utf8At(i))
	if !ok {
		p.failWith("has a string that is not modified UTF-8")
	}
	return s
}
