package classfile

// Tags of constants (JVMS 4.4).
const (
	tagUTF8  = 1
	tagClass = 7
)

// constant has the length of each kind of constant, without its tag; 0: no such
// kind.
var constant = [21]int{
	3: 4, 4: 4, // Integer, Float
	5: 8, 6: 8, // Long, Double
	7: 2, 8: 2, // Class, String
	9: 4, 10: 4, 11: 4, 12: 4, // Fieldref, Methodref, InterfaceMethodref, NameAndType
	15: 3, 16: 2, 17: 4, 18: 4, // MethodHandle, MethodType, Dynamic, InvokeDynamic
	19: 2, 20: 2, // Module, Package
}

// readPool notes where the constants are: most of them are never looked at.
func (p *parser) readPool() {
	count := int(p.u2())
	p.pool = append(p.pool, 0)
	for len(p.pool) < count && p.err == nil {
		p.pool = append(p.pool, uint32(p.off))
		switch tag := p.u1(); {
		case tag == tagUTF8:
			p.skip(int(p.u2()))
		case int(tag) >= len(constant) || constant[tag] == 0:
			if p.err == nil {
				p.fail("has a constant of the unknown kind %d", tag)
			}
		default:
			p.skip(constant[tag])
			if tag == 5 || tag == 6 {
				p.pool = append(p.pool, 0) // the second half of what has 8 bytes is no constant
			}
		}
	}
}

// at returns the bytes after the tag of a constant.
func (p *parser) at(i uint16, tag uint8) []byte {
	if p.err != nil {
		return nil
	}
	if int(i) >= len(p.pool) || p.pool[i] == 0 || p.b[p.pool[i]] != tag {
		p.fail("refers to constant %d, which is not there or of another kind", i)
		return nil
	}
	return p.b[p.pool[i]+1:]
}

func (p *parser) utf8(i uint16) []byte {
	b := p.at(i, tagUTF8)
	if b == nil {
		return nil
	}
	n := int(b[0])<<8 | int(b[1])
	return b[2 : 2+n]
}

func (p *parser) className(i uint16) []byte { return p.utf8(p.nameIndex(i)) }

func (p *parser) nameIndex(class uint16) uint16 {
	b := p.at(class, tagClass)
	if b == nil {
		return 0
	}
	return uint16(b[0])<<8 | uint16(b[1])
}

// text is "" for 0, which stands for a name that is not there.
func (p *parser) text(i uint16) string {
	if i == 0 {
		return ""
	}
	s, ok := decode(p.utf8(i))
	if !ok {
		p.fail("has a text that is no modified UTF-8")
	}
	return s
}
