package classfile

// readNamed reads a list of annotations (JVMS 4.7.16) and keeps the value of
// @Named.
func (p *parser) readNamed() {
	for range p.u2() {
		if p.err != nil {
			return
		}
		switch string(p.utf8At(p.u2())) {
		case "Ljavax/inject/Named;", "Ljakarta/inject/Named;":
			p.readNamedValue()
		default:
			p.skipPairs(0)
		}
	}
}

func (p *parser) readNamedValue() {
	p.c.isNamed, p.given = true, 0
	for range p.u2() {
		if p.err != nil {
			return
		}
		name := p.utf8At(p.u2())
		if string(name) != "value" || p.peekByte() != 's' {
			p.skipValue(0)
			continue
		}
		p.skipBytes(1)
		p.given = p.u2()
	}
}

// hasInject reads a list of annotations and reports whether it contains
// @Inject.
func (p *parser) hasInject() (found bool) {
	for range p.u2() {
		if p.err != nil {
			return false
		}
		switch string(p.utf8At(p.u2())) {
		case "Ljavax/inject/Inject;", "Ljakarta/inject/Inject;":
			found = true
		}
		p.skipPairs(0)
	}
	return found
}

// skipPairs skips the names and values of one annotation.
func (p *parser) skipPairs(depth int) {
	for range p.u2() {
		if p.err != nil {
			return
		}
		p.skipBytes(2)
		p.skipValue(depth)
	}
}

// skipValue skips one value, with the values nested in it.
func (p *parser) skipValue(depth int) {
	if depth > maxNesting {
		p.failWith("has annotations nested more than %d levels deep", maxNesting)
		return
	}
	switch tag := p.u1(); tag {
	case 'B', 'C', 'D', 'F', 'I', 'J', 'S', 'Z', 's', 'c':
		p.skipBytes(2)
	case 'e':
		p.skipBytes(4)
	case '@':
		p.skipBytes(2)
		p.skipPairs(depth + 1)
	case '[':
		for range p.u2() {
			if p.err != nil {
				return
			}
			p.skipValue(depth + 1)
		}
	default:
		p.failWith("has an annotation value of the unknown kind %d", tag)
	}
}

// peekByte returns the next byte without consuming it.
func (p *parser) peekByte() byte {
	if p.off < len(p.b) {
		return p.b[p.off]
	}
	return 0
}
