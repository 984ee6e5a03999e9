package jsl

import (
	"strings"
	"testing"
)

func TestToJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		form       Format
		text, want string
	}{
		"a map of keywords":              {EDN, `{:schedule/cron-notation "0 0 * * * ?" :a? true :b nil}`, `{"schedule/cron-notation":"0 0 * * * ?","a?":true,"b":null}`},
		"a keyword is its text":          {EDN, `[:action/alert :x]`, `["action/alert","x"]`},
		"a list is an array":             {EDN, `(1 -2 3.5)`, `[1,-2,3.5]`},
		"an instant is a string":         {EDN, `{:d #inst"2015-04-13T07:00:00.006-00:00"}`, `{"d":"2015-04-13T07:00:00.006-00:00"}`},
		"a uuid is a string":             {EDN, `#uuid "d7dd0172-9b7b-4b1c-9e6d-0b8f2c7c8f4b"`, `"d7dd0172-9b7b-4b1c-9e6d-0b8f2c7c8f4b"`},
		"another tag stays recognizable": {EDN, `{:a #object["x"] :b #{1}}`, `{"a":{"#object":null},"b":{"a set":null}}`},
		"a number that JSON lacks":       {EDN, `[+1 1.]`, `["+1","1."]`},
		"a namespaced map":               {EDN, `#:user{:id"admin":password"x"}`, `{"user/id":"admin","user/password":"x"}`},
		"YAML":                           {YAML, "a: [1, yes, 0x1F, 2016-09-15]\nb:\n", `{"a":[1,"yes","0x1F","2016-09-15"],"b":null}`},
		"JSON as it is":                  {JSON, `{"job/name":"x","a":[null]}`, `{"job/name":"x","a":[null]}`},
		"a broken text is a fault":       {EDN, `{:a`, `the definition: want valid EDN, got the end of the text (line 1, column 4)`},
		"depth has an end":               {EDN, strings.Repeat("[", 2_000_000), `the definition: want at most 100 levels, got more (line 1, column 101)`},
		"XML has no JSON":                {XML, `<job/>`, `format "xml": want json, yaml or edn`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ToJSON(tc.form, []byte(tc.text))
			if err != nil {
				got = []byte(err.Error())
			}
			if string(got) != tc.want {
				t.Errorf("ToJSON(%s) = %s, want %s", tc.text[:min(len(tc.text), 80)], got, tc.want)
			}
		})
	}
}

func TestToYAML(t *testing.T) {
	got, err := ToYAML([]byte(`{"name":"yes","n":1.50,"empty":[],"none":null,"list":[{"a":"1"},{"b":true}],"text":"a\nb"}`))
	if err != nil {
		t.Fatal(err)
	}
	back, err := ToJSON(YAML, got)
	if want := `{"name":"yes","n":1.50,"empty":[],"none":null,"list":[{"a":"1"},{"b":true}],"text":"a\nb"}`; err != nil || string(back) != want {
		t.Errorf("as YAML\n%s\nis JSON %s, %v", got, back, err)
	}
}
