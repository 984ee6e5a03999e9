package jsl

// field connects a name of the written form with a place in the model. Reading
// and writing use the same fields, so they cannot disagree.
type field struct {
	name  string
	read  func(d *decoder, n *node, path string)
	write func() *node // returns nil if there is nothing to write
}

// shaped is a pointer to a part of the model that has fields.
type shaped[T any] interface {
	*T
	writtenFields() []field
}

// textField is a field for a string. An empty string is not written.
func textField(name string, p *string) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			if n.kind != text {
				d.reportMismatch(n, path, "a string")
				return
			}
			*p = n.text
		},
		func() *node {
			if *p == "" {
				return nil
			}
			return newText(*p)
		}}
}

// intField is a field for a whole number, or for text that becomes one.
func intField(name string, p *Int) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			if n.kind != text && n.kind != number {
				d.reportMismatch(n, path, "a whole number")
				return
			}
			*p = Int(canonicalInt(n.text))
		},
		func() *node {
			switch {
			case *p == "":
				return nil
			case isInt(string(*p)):
				return &node{kind: number, text: canonicalInt(string(*p))}
			}
			return newText(string(*p))
		}}
}

// boolField is a field for a truth value, or for text that becomes one.
func boolField(name string, p *Bool) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			if n.kind != text && n.kind != truth {
				d.reportMismatch(n, path, "true or false")
				return
			}
			*p = Bool(n.text)
		},
		func() *node {
			switch *p {
			case "":
				return nil
			case "true", "false":
				return &node{kind: truth, text: string(*p)}
			}
			return newText(string(*p))
		}}
}

// propertiesField is a field for an object of strings. It keeps their order.
func propertiesField(p *Properties) field {
	return field{"properties",
		func(d *decoder, n *node, path string) { *p = d.readProperties(n, path) },
		func() *node {
			if len(*p) == 0 {
				return nil
			}
			n := &node{kind: object}
			for _, prop := range *p {
				n.addMember(prop.Name, newText(prop.Value))
			}
			return n
		}}
}

// objectField is a field for an object that may be missing.
func objectField[T any, P shaped[T]](name string, p **T) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			v := new(T)
			d.readObject(n, path, P(v).writtenFields())
			*p = v
		},
		func() *node {
			if *p == nil {
				return nil
			}
			return objectFrom(P(*p).writtenFields())
		}}
}

// listField is a field for an array of objects. An empty array is not written.
func listField[T any, P shaped[T]](name string, p *[]T) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			d.readArray(n, path, func(n *node, path string) {
				var v T
				d.readObject(n, path, P(&v).writtenFields())
				*p = append(*p, v)
			})
		},
		func() *node {
			if len(*p) == 0 {
				return nil
			}
			a := &node{kind: array}
			for i := range *p {
				a.items = append(a.items, objectFrom(P(&(*p)[i]).writtenFields()))
			}
			return a
		}}
}

// textsField is a field for an array of strings. An empty array is not written.
func textsField(name string, p *[]string) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			d.readArray(n, path, func(n *node, path string) {
				var s string
				textField("", &s).read(d, n, path)
				*p = append(*p, s)
			})
		},
		func() *node {
			if len(*p) == 0 {
				return nil
			}
			a := &node{kind: array}
			for _, s := range *p {
				a.items = append(a.items, newText(s))
			}
			return a
		}}
}

// objectFrom returns an object with everything that the fields write.
func objectFrom(fields []field) *node {
	n := &node{kind: object}
	for _, f := range fields {
		if v := f.write(); v != nil {
			n.addMember(f.name, v)
		}
	}
	return n
}
