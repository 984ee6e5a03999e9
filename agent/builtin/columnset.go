package builtin

import (
	"maps"
	"slices"
)

// columnSet says which fields of an item are written.
type columnSet struct {
	columns      []string
	allowMissing bool // an item may lack a column
	allowExtra   bool // an item may have other fields
}

func columnProperties(p *properties) columnSet {
	c := missingProperties(p)
	c.columns = p.names("columns")
	return c
}

// missingProperties reads the properties about items with other fields.
func missingProperties(p *properties) columnSet {
	return columnSet{
		allowMissing: p.choice("missing", "refuse", "empty") == "empty",
		allowExtra:   p.choice("extra", "ignore", "refuse") == "ignore",
	}
}

// value returns the value of a column.
func (c *columnSet) value(item Record, column string) (any, error) {
	v, ok := item[column]
	if !ok && !c.allowMissing {
		return nil, &FormatError{Field: column, Problem: "the item does not have it (property missing)"}
	}
	return v, nil
}

// checkExtra returns an error if an item has a field that is not to be written.
func (c *columnSet) checkExtra(item Record) error {
	if c.allowExtra {
		return nil
	}
	known := 0
	for _, column := range c.columns {
		if _, ok := item[column]; ok {
			known++
		}
	}
	if known == len(item) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(item)) {
		if !slices.Contains(c.columns, name) {
			return &FormatError{Field: name, Problem: "it is not one of the columns (property extra)"}
		}
	}
	return nil
}
