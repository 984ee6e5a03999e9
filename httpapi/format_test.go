package httpapi

import "testing"

func TestNegotiate(t *testing.T) {
	for name, tc := range map[string]struct {
		accept string
		ok     bool
	}{
		"no Accept":                   {"", true},
		"anything":                    {"*/*", true},
		"JSON":                        {"application/json", true},
		"JSON with parameters":        {"application/json; charset=utf-8", true},
		"problems only":               {"application/problem+json", true},
		"upper case":                  {"APPLICATION/JSON", true},
		"any application":             {"application/*;q=0.1", true},
		"a browser":                   {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
		"Java's default":              {"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", true},
		"XML only":                    {"application/xml", false},
		"JSON refused":                {"application/json;q=0, text/html", false},
		"JSON refused, anything else": {"application/json;q=0, application/problem+json;q=0, */*", false},
		"a quality that is none":      {"application/json;q=x", false},
		"nonsense":                    {";;,,;q=", false},
	} {
		t.Run(name, func(t *testing.T) {
			f, ok := negotiate(tc.accept)
			if ok != tc.ok || f == nil {
				t.Errorf("negotiate(%q) = %v, want %v", tc.accept, ok, tc.ok)
			}
		})
	}
}

func TestFormatOf(t *testing.T) {
	for name, tc := range map[string]struct {
		contentType, encoding string
		ok                    bool
	}{
		"none":                  {"", "", true},
		"JSON":                  {"application/json", "identity", true},
		"JSON in UTF-8":         {"Application/JSON; charset=UTF-8", "", true},
		"JSON in something":     {"application/json; charset=utf-16", "", false},
		"XML":                   {"application/xml", "", false},
		"EDN":                   {"application/edn", "", false},
		"a form":                {"application/x-www-form-urlencoded", "", false},
		"nonsense":              {";;", "", false},
		"compressed":            {"application/json", "gzip", false},
		"JSON with a bad param": {"application/json; charset", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := formatOf(tc.contentType, tc.encoding); (err == nil) != tc.ok {
				t.Errorf("formatOf(%q, %q) = %v", tc.contentType, tc.encoding, err)
			}
		})
	}
}
