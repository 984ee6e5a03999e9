package jsl

import (
	"encoding/xml"
	"strings"
)

// attributePlace holds the positions of an attribute's name and value.
type attributePlace struct{ name, value position }

func (p attributePlace) memberNamed(name, value string) member {
	v := &node{text: value, line: p.value.line, col: p.value.col}
	return member{name, v, p.name.line, p.name.col}
}

// placedAttributes yields the attributes of the last start tag with their
// positions, without declarations of namespaces.
func (r *xmlReader) placedAttributes(start xml.StartElement) func(yield func(xml.Attr, attributePlace) bool) {
	return func(yield func(xml.Attr, attributePlace) bool) {
		places := attributePlaces(r.place, r.originalOffset())
		for i, a := range start.Attr {
			if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
				continue
			}
			p := attributePlace{r.position, r.position}
			if i < len(places) {
				p = places[i]
			}
			if !yield(a, p) {
				return
			}
		}
	}
}

// attributePlaces finds the attributes of the tag between p and the offset end.
// encoding/xml has already accepted the tag, so it is well formed, but
// encoding/xml does not report the positions of attributes.
func attributePlaces(p place, end int) []attributePlace {
	tag := string(p.text[p.offset:min(end, len(p.text))])
	base := p.offset
	var places []attributePlace
	i := strings.IndexAny(tag, " \t\r\n")
	for i >= 0 {
		i += len(tag[i:]) - len(strings.TrimLeft(tag[i:], " \t\r\n"))
		equals := strings.IndexByte(tag[i:], '=')
		if equals < 0 {
			break
		}
		var a attributePlace
		p.moveTo(base + i)
		a.name = p.position
		i += equals + 1
		i += len(tag[i:]) - len(strings.TrimLeft(tag[i:], " \t\r\n"))
		if i == len(tag) {
			break
		}
		p.moveTo(base + i)
		a.value = p.position
		places = append(places, a)
		closing := strings.IndexByte(tag[i+1:], tag[i])
		if closing < 0 {
			break
		}
		i += closing + 2
	}
	return places
}
