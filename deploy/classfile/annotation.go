package classfile

// readNamed reads a list of annotations (JVMS 4.7.16) and keeps the value of
// @Named.
func (p *parser) readNamed() {
	for range p.u2() {
		if p.err != nil {
			return
		}
		switch string(p.utf8(p.u2())) {
		case "Ljavax/inject/Named;", "Ljakarta/inject/Named;":
			p.readName()
		default:
			p.pairs(0)
		}
	}
}

func (p *parser) readName() {
	p.c.isNamed, p.given = true, 0
	for range p.u2() {
		if p.err != nil {
			return
		}
		name := p.utf8(p.u2())
		if string(name) != "value" || p.peek() != 's' {
			p.value(0)
			continue
		}
		p.skip(1)
		p.given = p.u2()
	}
}

// injected reads a list of annotations and says whether @Inject is in it.
func (p *parser) injected() (found bool) {
	for range p.u2() {
		if p.err != nil {
			return false
		}
		switch string(p.utf8(p.u2())) {
		case "Ljavax/inject/Inject;", "Ljakarta/inject/Inject;":
			found = true
		}
		p.pairs(0)
	}
	return found
}

// pairs passes over the names and values of one annotation.
func (p *parser) pairs(depth int) {
	for range p.u2() {
		if p.err != nil {
			return
		}
		p.skip(2)
		p.value(depth)
	}
}

// value passes over one value; values nest.
func (p *parser) value(depth int) {
	if depth > maxNesting {
		p.fail("has annotations that are nested deeper than %d", maxNesting)
		return
	}
	switch tag := p.u1(); tag {
	case 'B', 'C', 'D', 'F', 'I', 'J', 'S', 'Z', 's', 'c':
		p.skip(2)
	case 'e':
		p.skip(4)
	case '@':
		p.skip(2)
		p.pairs(depth + 1)
	case '[':
		for range p.u2() {
			if p.err != nil {
				return
			}
			p.value(depth + 1)
		}
	default:
		p.fail("has an annotation whose value is of the unknown kind %d", tag)
	}
}

// peek returns the next byte without taking it.
func (p *parser) peek() byte {
	if p.off < len(p.b) {
		return p.b[p.off]
	}
	return 0
}
