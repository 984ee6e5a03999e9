package codec

import "testing"

func TestFormatOfBodies(t *testing.T) {
	for name, tc := range map[string]struct {
		contentType, encoding string
		ok                    bool
	}{
		"none":                  {"", "", true},
		"JSON":                  {"application/json", "identity", true},
		"JSON in UTF-8":         {"Application/JSON; charset=UTF-8", "", true},
		"JSON in something":     {"application/json; charset=utf-16", "", false},
		"XML":                   {"application/xml", "", true},
		"EDN":                   {"application/edn", "", true},
		"YAML":                  {"text/yaml; charset=utf-8", "", true},
		"text":                  {"text/plain", "", false},
		"a form":                {"application/x-www-form-urlencoded", "", false},
		"nonsense":              {";;", "", false},
		"compressed":            {"application/json", "gzip", false},
		"JSON with a bad param": {"application/json; charset", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ForBody(tc.contentType, tc.encoding); (err == nil) != tc.ok {
				t.Errorf("ForBody(%q, %q) = %v", tc.contentType, tc.encoding, err)
			}
		})
	}
}
