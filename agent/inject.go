package agent

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Inject stores the properties of an artifact in the fields of a struct (9.3).
// target is a pointer to the struct. A field gets the property that its tag
// names:
//
//	type csvReader struct {
//		File string        `batch:"file,required"`
//		Skip int           `batch:"skip"`
//		Wait time.Duration `batch:"wait,default=10s"`
//	}
//
//	func newCSVReader(s *agent.StepContext) (agent.ItemReader[row], error) {
//		r := &csvReader{}
//		return r, agent.Inject(r, s.Properties)
//	}
//
// A property that is empty counts as missing, because a job parameter that is
// not given becomes an empty text. A missing property leaves the field as it is,
// unless the tag has a default, or required, which makes it an error. The
// default is the rest of the tag, with its commas.
//
// A field is exported. Its type is one of
//
//	a string
//	a bool              true or false
//	an int or uint      a whole number that the type can hold
//	time.Duration       90s, 10m or a number of seconds, not negative
//	an [encoding.TextUnmarshaler], by its pointer
//
// The error names each property that is wrong, missing or unknown, and what is
// expected.
func Inject(target any, properties map[string]string) error {
	p := reflect.ValueOf(target)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("inject properties into %T: want a pointer to a struct", target)
	}
	v := p.Elem()
	var faults []string
	known := map[string]bool{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		text, ok := f.Tag.Lookup("batch")
		if !ok {
			continue
		}
		tag, err := parseInjectTag(text)
		if err != nil {
			return fmt.Errorf("inject properties into %T: field %s: %w", target, f.Name, err)
		}
		field, err := v.FieldByIndexErr(f.Index)
		if err != nil || !field.CanSet() {
			return fmt.Errorf("inject properties into %T: field %s: want an exported field of a struct that is not nil", target, f.Name)
		}
		if !canInject(field) {
			return fmt.Errorf("inject properties into %T: field %s: want a string, a bool, a whole number, a time.Duration or an encoding.TextUnmarshaler, not %v",
				target, f.Name, f.Type)
		}
		known[tag.name] = true
		value := properties[tag.name]
		if value == "" {
			value = tag.fallback
		}
		if value == "" && !tag.required {
			continue
		}
		if want := setField(field, value); want != "" {
			faults = append(faults, fmt.Sprintf("property %s: want %s, got %.60q", tag.name, want, value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !known[name] {
			faults = append(faults, fmt.Sprintf("property %s: unknown, want %s", name, namesOf(known)))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}

// injectTag is what a tag says about its field.
type injectTag struct {
	name     string
	fallback string // empty: there is none
	required bool
}

func parseInjectTag(text string) (injectTag, error) {
	name, option, _ := strings.Cut(text, ",")
	t := injectTag{name: name}
	fallback, hasDefault := strings.CutPrefix(option, "default=")
	switch {
	case name == "":
		return t, fmt.Errorf("tag batch:%q: want the name of a property", text)
	case hasDefault:
		t.fallback = fallback
	case option == "required":
		t.required = true
	case option != "":
		return t, fmt.Errorf("tag batch:%q: want required or default=VALUE after the name", text)
	}
	return t, nil
}

// canInject reports whether setField knows the type of a field.
func canInject(field reflect.Value) bool {
	_, ok := field.Addr().Interface().(encoding.TextUnmarshaler)
	k := field.Kind()
	return ok || k == reflect.String || k == reflect.Bool || field.CanInt() || field.CanUint()
}

// setField sets a field to a value. If the value, which may be empty, does not
// fit, setField returns what is expected instead.
func setField(field reflect.Value, text string) (want string) {
	if u, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if text == "" { // netip.Addr, for example, would accept it
			return fmt.Sprintf("a text for %v that is not empty", field.Type())
		}
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return fmt.Sprintf("a text for %v (%v)", field.Type(), err)
		}
		return ""
	}
	if field.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if n, numErr := strconv.ParseUint(text, 10, 31); numErr == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
		if err != nil || d < 0 {
			return "a duration such as 90s or 10m, or a number of seconds"
		}
		field.SetInt(int64(d))
		return ""
	}
	switch k := field.Kind(); {
	case k == reflect.String:
		if text == "" {
			return "a text that is not empty"
		}
		field.SetString(text)
	case k == reflect.Bool:
		if text != "true" && text != "false" {
			return "true or false"
		}
		field.SetBool(text == "true")
	case field.CanInt():
		n, err := strconv.ParseInt(text, 10, field.Type().Bits())
		if err != nil {
			most := uint64(1)<<(field.Type().Bits()-1) - 1
			return fmt.Sprintf("a whole number from -%d to %d", most+1, most)
		}
		field.SetInt(n)
	case field.CanUint():
		n, err := strconv.ParseUint(text, 10, field.Type().Bits())
		if err != nil {
			return fmt.Sprintf("a whole number from 0 to %d", ^uint64(0)>>(64-field.Type().Bits()))
		}
		field.SetUint(n)
	}
	return ""
}

// namesOf lists the names of properties.
func namesOf(known map[string]bool) string {
	if len(known) == 0 {
		return "no properties"
	}
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}
