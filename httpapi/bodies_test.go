package httpapi

import (
	"net/http"
	"testing"
)

func TestNegotiate(t *testing.T) {
	const (
		json, edn, yaml, xml, none = "application/json", "application/edn", "application/yaml", "application/xml", ""
		browser                    = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
		java                       = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
	)
	login := []string{"Cookie", "a=b; ring-session=x", "Origin", "http://localhost:3000"}
	for name, tc := range map[string]struct {
		accept  string
		headers []string
		path    string
		job     bool
		want    string
	}{
		"no Accept":                         {want: json},
		"anything":                          {accept: "*/*", want: json},
		"JSON":                              {accept: "application/json", want: json},
		"JSON with parameters":              {accept: "application/json; charset=utf-8", want: json},
		"problems only":                     {accept: "application/problem+json", want: json},
		"upper case":                        {accept: "APPLICATION/JSON", want: json},
		"any application":                   {accept: "application/*;q=0.1", want: json},
		"a browser":                         {accept: browser, want: json},
		"Java's default":                    {accept: java, want: json},
		"XML only, where there is no job":   {accept: "application/xml", want: none},
		"XML for a job":                     {accept: "application/xml", job: true, want: xml},
		"text/xml for a job":                {accept: "text/xml", job: true, want: xml},
		"JSON refused":                      {accept: "application/json;q=0, text/html", want: none},
		"JSON refused, anything else":       {accept: "application/json;q=0, application/problem+json;q=0, */*", want: edn},
		"a quality that is none":            {accept: "application/json;q=x", want: none},
		"nonsense":                          {accept: ";;,,;q=", want: none},
		"EDN":                               {accept: "application/edn", want: edn},
		"YAML":                              {accept: "application/yaml", want: yaml},
		"text/yaml":                         {accept: "text/yaml", want: yaml},
		"EDN liked more":                    {accept: "application/json;q=0.5, application/edn", want: edn},
		"JSON liked more":                   {accept: "application/edn;q=0.5, application/json", want: json},
		"the console":                       {accept: "*/*", headers: []string{"Content-Type", "application/edn"}, want: edn},
		"the plugin":                        {headers: []string{"Content-Type", "application/edn", "Authorization", "Token x"}, want: edn},
		"EDN sent, JSON wanted":             {accept: "application/json", headers: []string{"Content-Type", "application/edn"}, want: json},
		"EDN with a parameter":              {headers: []string{"Content-Type", "Application/EDN; charset=utf-8"}, want: edn},
		"the Java console":                  {accept: java, headers: []string{"Authorization", "Token x"}, want: edn},
		"the Java console, that asks JSON":  {accept: "application/json", headers: []string{"Authorization", "Token x"}, want: json},
		"another kind of token":             {accept: java, headers: []string{"Authorization", "Bearer x"}, want: json},
		"the editor's list":                 {accept: "*/*", headers: login, want: edn},
		"the editor's list without a login": {accept: "*/*", headers: login[2:], path: "/default/batch-components", want: edn},
		"another page without a login":      {accept: "*/*", headers: login[2:], path: "/default/jobs", want: json},
		"a browser, of a job":               {accept: browser, job: true, want: json},
		"the upload of the console":         {accept: "application/json", headers: login, want: json},
		"a cookie without an origin":        {accept: "*/*", headers: login[:2], want: json},
		"a download":                        {accept: browser, headers: login[:2], path: "/default/jobs/download", want: edn},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for i := 0; i < len(tc.headers); i += 2 {
				h.Set(tc.headers[i], tc.headers[i+1])
			}
			if tc.accept != "" {
				h.Set("Accept", tc.accept)
			}
			f, ok := negotiate(h.Get, tc.path, tc.job)
			if got := f.Media; ok != (tc.want != none) || ok && got != tc.want {
				t.Errorf("negotiate(%q) = %s, %v, want %q", tc.accept, got, ok, tc.want)
			}
		})
	}
}
