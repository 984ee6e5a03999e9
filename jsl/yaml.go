package jsl

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// maxAliased is the maximum number of nodes that come from aliases. Without it,
// ten lines of aliases to aliases could stand for millions.
const maxAliased = 10_000

// The YAML library needs two microseconds or more for each value, and the
// number of values is known only after it has read them all. So the characters
// that can begin a value are counted first.
const (
	indicators    = "\n,&*!?{["
	maxIndicators = 3 * maxValues
)

func countIndicators(data []byte) (n int) {
	for i := range len(indicators) {
		n += bytes.Count(data, []byte{indicators[i]})
	}
	return n
}

// readYAML returns the tree of a YAML text, or its faults. The names and
// scalars are those of JSON. A plain scalar is a number, a truth value or null
// as in YAML 1.2, so yes and on are strings.
func readYAML(data []byte) (*node, Errors) {
	parsed.Add(1)
	if countIndicators(data) > maxIndicators {
		return nil, Errors{{"", wantValues, "more", 1, 1}}
	}
	var doc yaml.Node
	limits := loaderlimits.New(loaderlimits.DepthValue(maxDepth))
	if err := yaml.Load(data, &doc, yaml.WithPlugin(limits)); err != nil {
		return nil, Errors{explainYAML(err)}
	}
	r := &yamlReader{}
	n := r.readValue(doc.Content[0], "", 1)
	if r.fatal {
		return nil, r.faults
	}
	return n, r.faults
}

func explainYAML(err error) FieldError {
	f := FieldError{Want: YAML.WantSyntax(), Got: firstRunes(err.Error(), maxGot), Line: 1, Column: 1}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		f.Got = firstRunes(load.Message, maxGot)
		f.Line, f.Column = max(load.Mark.Line, 1), max(load.Mark.Column, 1)
	}
	return f
}

// yamlReader converts the tree of the YAML library.
type yamlReader struct {
	faults  Errors
	values  int  // so far
	aliased int  // values that come from aliases
	within  int  // depth of the aliases being read
	fatal   bool // a limit is exceeded: stop reading
}

func (r *yamlReader) addFaultAt(y *yaml.Node, path, want, got string) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, FieldError{path, want, got, y.Line, y.Column})
	}
}

// readValue always returns a node, so that the reader finds all faults of a
// text.
func (r *yamlReader) readValue(y *yaml.Node, path string, depth int) *node {
	n := &node{kind: null, line: y.Line, col: y.Column}
	r.values++
	if r.within > 0 {
		r.aliased++
	}
	if depth > maxDepth || r.aliased > maxAliased || r.values > maxTokens {
		if !r.fatal {
			r.addFaultAt(y, path, fmt.Sprintf("%s, %s and at most %d aliased values", wantDepth, wantValues, maxAliased), "more")
		}
		r.fatal = true
		return n
	}
	switch y.Kind {
	case yaml.AliasNode:
		r.within++
		n = r.readValue(y.Alias, path, depth)
		r.within--
		n.line, n.col = y.Line, y.Column
	case yaml.MappingNode:
		n.kind = object
		r.checkTag(y, path, "!!map")
		for i := 0; i+1 < len(y.Content) && !r.fatal; i += 2 {
			key := y.Content[i]
			name := key.Value
			if key.Kind == yaml.AliasNode {
				name = key.Alias.Value
			}
			if key.Kind == yaml.MappingNode || key.Kind == yaml.SequenceNode {
				r.addFaultAt(key, path, "a name", "a mapping or sequence")
				continue
			}
			n.members = append(n.members, member{name, r.readValue(y.Content[i+1], memberPath(path, name), depth+1), key.Line, key.Column})
		}
	case yaml.SequenceNode:
		n.kind = array
		r.checkTag(y, path, "!!seq")
		for i, item := range y.Content {
			if r.fatal {
				break
			}
			n.items = append(n.items, r.readValue(item, itemPath(path, i), depth+1))
		}
	case yaml.ScalarNode:
		r.readScalar(n, y, path)
	}
	return n
}

func (r *yamlReader) readScalar(n *node, y *yaml.Node, path string) {
	n.text = y.Value
	switch tag := y.ShortTag(); tag {
	case "!!str", "!!timestamp", "!!merge":
		n.kind = text
	case "!!int", "!!float":
		n.kind = number
	case "!!bool":
		n.kind, n.text = truth, strings.ToLower(y.Value)
	case "!!null":
		n.kind = null
	default:
		n.kind = text
		r.addFaultAt(y, path, "no YAML tag", quoteValue(tag))
	}
}

func (r *yamlReader) checkTag(y *yaml.Node, path, want string) {
	if tag := y.ShortTag(); tag != want {
		r.addFaultAt(y, path, "no YAML tag", quoteValue(tag))
	}
}
