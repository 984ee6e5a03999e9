package jsl

// field joins a name of the written form and a place in the model. What reads
// and what writes is made from the same fields, so they cannot differ.
type field struct {
	name  string
	read  func(d *decoder, n *node, path string)
	write func() *node // nil: there is nothing to write
}

// shaped is what has fields.
type shaped[T any] interface {
	*T
	writtenFields() []field
}

// textField is a string, left out if it is empty.
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

// intField is a whole number, or a string that is or becomes one.
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

// boolField is a truth value, or a string that is or becomes one.
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

// propertiesField is an object of strings, in its order.
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

// objectField is an object that may be missing.
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

// listField is an array of objects, left out if it is empty.
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

// textsField is an array of strings, left out if it is empty.
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

// objectFrom makes an object of what the fields have to write.
func objectFrom(fields []field) *node {
	n := &node{kind: object}
	for _, f := range fields {
		if v := f.write(); v != nil {
			n.addMember(f.name, v)
		}
	}
	return n
}
