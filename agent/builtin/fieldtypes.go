package builtin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// fieldType makes the value of a field of its text. The error says what is
// wanted.
type fieldType func(text string) (any, error)

// wantError says what the text of a field should be.
type wantError string

func (w wantError) Error() string { return "want " + string(w) }

var fieldTypes = map[string]fieldType{
	"text": func(text string) (any, error) { return text, nil },
	"integer": func(text string) (any, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, wantError("a whole number of up to 64 bits")
		}
		return n, nil
	},
	"number": func(text string) (any, error) {
		if !isNumber(text) {
			return nil, wantError("a number such as -12.50 or 3e8")
		}
		return json.Number(text), nil
	},
	"boolean": func(text string) (any, error) {
		switch strings.ToLower(text) {
		case "true", "t", "1":
			return true, nil
		case "false", "f", "0":
			return false, nil
		}
		return nil, wantError("true or false, t or f, 1 or 0")
	},
}

// isNumber reports whether text is a number as JSON has them.
func isNumber(text string) bool {
	first := strings.TrimPrefix(text, "-")
	return first != "" && first[0] >= '0' && first[0] <= '9' && text[len(text)-1] > ' ' && json.Valid([]byte(text))
}

// typeProperties returns the types of the properties type.NAME by the name of
// the field.
func typeProperties(p *properties) map[string]fieldType {
	types := map[string]fieldType{}
	for name, text := range p.withPrefix("type.") {
		if types[name] = fieldTypes[text]; types[name] == nil {
			p.fault("type."+name, "one of text, integer, number, boolean", text)
		}
	}
	return types
}

// typesOf returns the types of fields, nil for a text. It returns an error if
// there is a type for another field.
func typesOf(types map[string]fieldType, names []string) ([]fieldType, error) {
	all := make([]fieldType, len(names))
	for i, name := range names {
		all[i] = types[name]
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("property type.%s: want one of the fields %s", name, strings.Join(firstOf(names, 20), ", "))
		}
	}
	return all, nil
}

// names returns a property that is a list of names, joined by commas or line
// breaks.
func (p *properties) names(name string) []string {
	text := strings.TrimSpace(p.text(name, ""))
	if text == "" {
		return nil
	}
	all := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' })
	seen := map[string]bool{}
	for i, one := range all {
		all[i] = strings.TrimSpace(one)
		if all[i] == "" || seen[all[i]] {
			p.fault(name, "names that differ, joined by commas", text)
			return nil
		}
		seen[all[i]] = true
	}
	return all
}
