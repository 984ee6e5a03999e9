package httpapi

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// hidden is a value that no answer, row and line of the log may show.
const hidden = "Geheim-4711"

// withoutValue ends the test if an answer shows the value.
func (r *reply) withoutValue() *reply {
	r.t.Helper()
	if strings.Contains(string(r.body), hidden) {
		r.t.Errorf("%s shows the value: %s", r.asked, r.body)
	}
	return r
}

func TestSecrets(t *testing.T) {
	var log bytes.Buffer
	e := newEnv(t, withLogin, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	ann := bearing(e.user("ann", "admin").Token)
	call := func(method, path, body string) *reply { return e.call(method, path, body, ann...).withoutValue() }

	call("GET", "/default/secrets", "").want(200)
	var s rest.Secret
	call("PUT", "/default/secret/DB_PASSWORD", `{"value":"`+hidden+`"}`).want(201).into(&s)
	if s.Name != "DB_PASSWORD" || s.SetBy != "ann" || s.KeyID == "" || s.CreateTime == 0 || s.CreateTime != s.LastUpdatedTime {
		t.Errorf("created %+v", s)
	}
	was := s
	call("PUT", "/default/secret/DB_PASSWORD", `{"value":"`+hidden+`2"}`).want(200).into(&s)
	if s.CreateTime != was.CreateTime || s.LastUpdatedTime < was.LastUpdatedTime {
		t.Errorf("changed %+v to %+v", was, s)
	}
	call("PUT", "/default/secret/api_key", "value: "+hidden).code(400, "malformed_body")
	e.call("PUT", "/default/secret/api_key", "value: "+hidden, append([]string{"Content-Type", "application/yaml"}, ann...)...).withoutValue().want(201)
	edn := e.call("PUT", "/default/secret/api_key", `{:secret/value "`+hidden+`"}`, append([]string{"Content-Type", "application/edn", "Accept", "application/edn"}, ann...)...).withoutValue()
	if edn.status != 201 || !strings.Contains(string(edn.body), `:secret/name "api_key"`) {
		t.Errorf("in EDN: %d %s", edn.status, edn.body)
	}
	var list rest.List[rest.Secret]
	call("GET", "/default/secrets", "").want(200).into(&list)
	if len(list.Results) != 2 || list.Results[0].Name != "DB_PASSWORD" || list.Results[1].Name != "api_key" {
		t.Errorf("listed %+v", list)
	}
	call("GET", "/default/secrets?limit=1&after=DB_PASSWORD", "").want(200).into(&list)
	if len(list.Results) != 1 || list.Results[0].Name != "api_key" {
		t.Errorf("the second page is %+v", list)
	}

	for body, want := range map[string]string{
		`{}`:                               "want a value, got an empty one",
		`{"value":""}`:                     "want a value, got an empty one",
		`{"value":"` + hidden + `\u0000"}`: "want a value without NUL characters",
		`{"value":"` + strings.Repeat("x", subjects.MaxSecret+1) + `"}`: "want at most 32768 bytes, got 32769",
	} {
		var p rest.Problem
		call("PUT", "/default/secret/X", body).code(422, "invalid_body").into(&p)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/value" || p.Errors[0].Detail != want {
			t.Errorf("PUT %.60s = %+v, want %s", body, p.Errors, want)
		}
	}
	for _, body := range []string{`{"value":{"` + hidden + `":1}}`, `{"` + hidden + `":1}`, `{"value":["` + hidden + `"]}`, `{"value":"` + hidden, hidden} {
		if r := call("PUT", "/default/secret/X", body); r.status != 422 && r.status != 400 {
			t.Errorf("PUT %s = %d %s", body, r.status, r.body)
		}
	}
	call("PUT", "/default/secret/X", `{"value":"`+strings.Repeat("x", 300<<10)+`"}`).code(413, "body_too_large")
	largest := strings.Repeat("\x01", subjects.MaxSecret)
	text, _ := json.Marshal(rest.NewSecret{Value: largest})
	call("PUT", "/default/secret/LARGE", string(text)).want(201)
	for _, name := range []string{"1A", "A.B", "A-B", "%C3%84", strings.Repeat("A", subjects.MaxSecretName+1)} {
		call("PUT", "/default/secret/"+name, `{"value":"x"}`).code(400, "invalid_parameter")
		call("DELETE", "/default/secret/"+name, "").code(400, "invalid_parameter")
	}
	for _, method := range []string{"PUT", "DELETE"} {
		call(method, "/none/secret/A", `{"value":"x"}`).want(404)
		call(method, "/a.b/secret/A", `{"value":"x"}`).code(404, "no_such_app")
	}
	call("GET", "/none/secrets", "").code(404, "no_such_app")
	call("DELETE", "/default/secret/NONE", "").code(404, "no_such_secret")
	call("DELETE", "/default/secret/api_key", "").want(204)
	call("DELETE", "/default/secret/api_key", "").code(404, "no_such_secret")

	var rows rest.AuditPage
	call("GET", "/audit?kind=secret&limit=1000&with=stored&order=oldest", "").want(200).into(&rows)
	if r := rows.Results[0]; r.User != "ann" || r.Action != "put-secret" || r.App != "default" || r.Name != "DB_PASSWORD" || r.Code != "" {
		t.Errorf("the first row is %+v", r)
	}
	for _, path := range []string{"/default/jobs/download", "/default/stats", "/app/default"} {
		call("GET", path, "").want(200)
	}
	if strings.Contains(log.String(), hidden) {
		t.Errorf("the log shows the value: %s", log.String())
	}
}

// A watcher sees the names, and only an admin changes secrets: an operator
// could send the jobs of the application to another database.
func TestRolesOfSecrets(t *testing.T) {
	e := newEnv(t, withLogin)
	for role, status := range map[string]int{"admin": 201, "operator": 403, "watcher": 403} {
		headers := bearing(e.user(role, role).Token)
		e.call("PUT", "/default/secret/"+role, `{"value":"x"}`, headers...).want(status)
		e.call("GET", "/default/secrets", "", headers...).want(200)
		if role != "admin" {
			e.call("DELETE", "/default/secret/admin", "", headers...).want(403)
		}
	}
	e.call("GET", "/default/secrets", "").want(401)
}

// An application that is deleted leaves no secret to the next of its name.
func TestSecretsOfADeletedApp(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/app/shop", `{}`).want(201)
	e.call("PUT", "/shop/secret/A", `{"value":"x"}`).want(201)
	e.call("PUT", "/default/secret/A", `{"value":"x"}`).want(201)
	e.call("DELETE", "/app/shop", "").want(204)
	e.call("PUT", "/app/shop", `{}`).want(201)
	var list rest.List[rest.Secret]
	e.call("GET", "/shop/secrets", "").want(200).into(&list)
	if len(list.Results) != 0 {
		t.Errorf("the new application has %+v", list.Results)
	}
	e.call("GET", "/default/secrets", "").want(200).into(&list)
	if len(list.Results) != 1 {
		t.Errorf("the default application has %+v", list.Results)
	}
}

// A bus without keys says what to do.
func TestSecretsWithoutAKey(t *testing.T) {
	e := newEnv(t)
	e.server.cfg.Secrets = secrets.New(secrets.Config{Bus: e.bus})
	r := e.call("PUT", "/default/secret/A", `{"value":"`+hidden+`"}`).withoutValue().code(409, "no_secret_key")
	if !strings.Contains(string(r.body), "--secrets-key-file") {
		t.Errorf("the refusal does not say what to do: %s", r.body)
	}
	e.call("GET", "/default/secrets", "").want(200)
	e.call("DELETE", "/default/secret/A", "").code(404, "no_such_secret")
}

// A job whose parameters could choose a secret is refused when it is stored, in
// each format and on each way.
func TestParametersChooseNoSecrets(t *testing.T) {
	e := newEnv(t)
	const (
		pointer = "/steps/0/batchlet/properties/secrets"
		asJSON  = `{"id":"j","steps":[{"id":"s","batchlet":{"ref":"org.jobstreamer.batch.ShellBatchlet","properties":{"command":"true","secrets":"%"}}}]}`
		asEDN   = `{:id "j" :steps [{:id "s" :batchlet {:ref "org.jobstreamer.batch.ShellBatchlet" :properties {"command" "true" "secrets" "%"}}}]}`
		asYAML  = "id: j\nsteps:\n- id: s\n  batchlet: {ref: org.jobstreamer.batch.ShellBatchlet, properties: {command: 'true', secrets: \"%\"}}\n"
		asXML   = `<job id="j"><step id="s"><batchlet ref="org.jobstreamer.batch.ShellBatchlet"><properties><property name="command" value="true"/><property name="secrets" value="%"/></properties></batchlet></step></job>`
	)
	for media, body := range map[string]string{"application/json": asJSON, "application/edn": asEDN, "application/yaml": asYAML, "application/xml": asXML} {
		for _, route := range []string{"POST /default/jobs", "PUT /default/job/j"} {
			method, path, _ := strings.Cut(route, " ")
			for secrets, want := range map[string]string{
				"#{jobParameters['x']}":           "want names of secrets without substitutions: only the author of a job chooses secrets",
				"A,B=A_#{jobParameters['x']}?:A;": "want names of secrets without substitutions: only the author of a job chooses secrets",
				"A-B":                             "want names of secrets or VARIABLE=NAME",
				"#{jobProperties['x']}":           "want names of secrets without substitutions",
			} {
				r := e.call(method, path, strings.ReplaceAll(body, "%", secrets), "Content-Type", media)
				if text := string(r.body); r.status != 400 && r.status != 422 || !strings.Contains(text, pointer) || !strings.Contains(text, want) {
					t.Errorf("%s as %s with secrets %s: %d %s, want %s", route, media, secrets, r.status, text, want)
				}
			}
		}
	}
	e.call("GET", "/default/job/j", "").want(404)
	e.call("PUT", "/default/job/j", strings.ReplaceAll(asJSON, "%", "A, B=A")).want(201)
}
