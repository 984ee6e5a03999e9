package httpapi

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What takes long to read, or becomes large in memory, is refused while it is
// read.
func TestBombs(t *testing.T) {
	e := newEnv(t)
	const size = 4<<20 - 100
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	aliases := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		p := c - 1
		aliases += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, p, p, p, p, p, p, p, p, p, p)
	}
	for name, b := range map[string]struct{ media, body string }{
		"JSON, nested arrays":            {"application/json", fill("[")},
		"JSON, nested objects":           {"application/json", fill(`{"a":`)},
		"JSON, one name again and again": {"application/json", "{" + fill(`"a":1,`) + `"b":1}`},
		"JSON, a number":                 {"application/json", fill("9")},
		"JSON, wrong steps":              {"application/json", `{"id":"z","steps":[` + fill("1,") + "1]}"},
		"JSON, empty steps":              {"application/json", `{"id":"z","steps":[` + fill(`{"x":1},`) + "1]}"},
		"EDN, wrong steps":               {"application/edn", `{:id "z" :steps [` + fill("1 ") + "]}"},
		"EDN, empty steps":               {"application/edn", `{:id "z" :steps [` + fill("{:x 1} ") + "]}"},
		"EDN, many keywords":             {"application/edn", "{" + fill(":x/y 1 ") + "}"},
		"YAML, wrong steps":              {"application/yaml", "id: z\nsteps:\n" + fill("- 1\n")},
		"YAML, a flow":                   {"application/yaml", "id: z\nsteps: [" + fill("1,") + "1]\n"},
		"EDN, nested vectors":            {"application/edn", fill("[")},
		"EDN, nested maps":               {"application/edn", fill("{:a ")},
		"EDN, nested sets":               {"application/edn", fill("#{")},
		"EDN, nested tags":               {"application/edn", fill("#a ")},
		"EDN, nested discards":           {"application/edn", fill("#_ ")},
		"EDN, an exponent":               {"application/edn", "{:id 1e9999999M}"},
		"EDN, a number":                  {"application/edn", fill("9")},
		"EDN, many keys":                 {"application/edn", "{" + fill(":a 1 ") + "}"},
		"YAML, aliases":                  {"application/yaml", aliases},
		"YAML, nested sequences":         {"application/yaml", fill("[")},
		"YAML, nested lists":             {"application/yaml", fill("- ")},
		"YAML, a document of keys":       {"application/yaml", fill("? a\n")},
		"YAML, anchors":                  {"application/yaml", fill("&a ")},
		"XML, nested elements":           {"application/xml", fill("<a>")},
		"XML, entities":                  {"application/xml", `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><job id="&b;"/>`},
		"XML, attributes":                {"application/xml", "<job " + fill(`a="" `) + "/>"},
		"XML, steps":                     {"application/xml", `<job id="a">` + fill(`<step/>`) + "</job>"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begun := time.Now()
			for _, path := range []string{"/default/jobs", "/default/job/x/schedule"} {
				r := e.call("POST", path, b.body, "Content-Type", b.media, "Accept", "application/json")
				if r.status != 400 && r.status != 413 && r.status != 415 && r.status != 422 || len(r.body) > 100<<10 {
					t.Errorf("POST %s = %d, %d bytes: %.300s", path, r.status, len(r.body), r.body)
				}
			}
			runtime.ReadMemStats(&after)
			t.Logf("two requests in %v, %d MB allocated", time.Since(begun), (after.TotalAlloc-before.TotalAlloc)>>20)
		})
	}
}
