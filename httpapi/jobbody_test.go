package httpapi

import (
	"regexp"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const diagram = `<?xml version="1.0"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:jsr352="http://jsr352/" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
<jsr352:job id="Job_1" name="drawn"><jsr352:step id="Step_1" name="hello"><jsr352:batchlet ref="org.jobstreamer.batch.ShellBatchlet">
<bpmn:extensionElements><camunda:properties><camunda:property name="command" value="echo #{jobParameters[&#39;who&#39;]}"/></camunda:properties></bpmn:extensionElements>
</jsr352:batchlet></jsr352:step></jsr352:job></bpmn:definitions>`

// What the diagram editor saves is the job's definition, and is given back as
// it was sent.
func TestNotation(t *testing.T) {
	e := newEnv(t)
	e.server.cfg.AllowOrigin = "http://localhost:3000"
	text := `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(diagram) + `"` // in EDN and in JSON
	both := `:job/bpmn-xml-notation ` + regexp.QuoteMeta(text) + ` :job/svg-notation "<svg/>"`
	for _, x := range []exchange{
		{name: "saved", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation ` + text + ` :job/svg-notation "<svg/>"}`, status: 201, want: any_ + both + `\}`},
		{name: "read", method: "GET", path: "/default/job/Named", status: 200, want: any_ + `:job/dynamic-parameters #\{"who"\} :job/definition \{:id "Named"\s+:steps\s+\[\{:id "hello"\s.*\}\]\} ` + both + `\}`},
		{name: "a list does not have it", method: "GET", path: "/default/jobs", status: 200, want: `[^<]*`},
		{name: "but when it is asked for", method: "GET", path: "/default/jobs?with=notation,execution", status: 200, want: any_ + both + any_},
		{name: "nor has a download", method: "GET", path: "/default/jobs/download?with=schedule", status: 200, type_: "application/force-download", want: `[^<]*`},
		{name: "but when it is asked for, too", method: "GET", path: "/default/jobs/download?with=notation,schedule,settings", status: 200, type_: "application/force-download", want: any_ + both + any_},
		{name: "a setting does not lose it", method: "PUT", path: "/default/job/Named/settings/exclusive", body: `{:job/exclusive? true}`, status: 201, want: any_},
		{name: "it is there still", method: "GET", path: "/default/job/Named", status: 200, want: any_ + `:exclusive true` + any_ + both + any_},
		{name: "a definition besides is the definition", method: "POST", path: "/default/jobs", status: 201, want: any_ + `:steps\s+\[\{:id "other".*` + both + `\}`,
			body: `{:job/name "Imported" :job/bpmn-xml-notation ` + text + ` :job/svg-notation "<svg/>" :job/definition {:id "Imported" :steps [{:id "other"}]}}`},
		{name: "renamed by the editor", method: "PUT", path: "/default/job/Named", body: `{:job/name "drawn" :job/bpmn-xml-notation ` + text + `}`, status: 201, want: `\{:db/id \d+ :job/name "drawn" .*:job/bpmn-xml-notation "[^"]*.*`},
		{name: "it is exclusive still, which a diagram cannot say", method: "GET", path: "/default/job/drawn", status: 200, want: any_ + `:job/exclusive\? true` + any_},
		{name: "a picture that is not sent is none", method: "GET", path: "/default/job/drawn", status: 200, want: any_ + `</bpmn:definitions>"\}`},
		{name: "started", method: "POST", path: "/default/job/drawn/executions", body: `{:who "x"}`, status: 201, want: any_},
		{name: "no diagram", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation "<a/>"}`, status: 400,
			want: `\{:message "/job~1bpmn-xml-notation: want a diagram with a job .*line 1, column 1 of the diagram.*" :messages \[.*\] :code "invalid_body"\}`},
		{name: "an empty one, without a definition", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation ""}`, status: 400, want: any_ + `/steps: want` + any_},
		{name: "exclusive from the beginning", method: "POST", path: "/default/jobs", body: `{:job/name "Alone" :job/exclusive? true :job/bpmn-xml-notation ` + text + `}`, status: 201, want: any_ + `:job/exclusive\? true` + any_},
		{name: "a name that is none", method: "POST", path: "/default/jobs", body: `{:job/name "x y" :job/bpmn-xml-notation ` + text + `}`, status: 400, want: `\{:message "/job~1name: want an XML NCName .*"` + any_},
		{name: "nor is it one to rename to", method: "PUT", path: "/default/job/Alone", body: `{:job/name "new name" :job/bpmn-xml-notation ` + text + `}`, status: 400, want: any_},
		{name: "it is as it was", method: "GET", path: "/default/job/Alone", status: 200, want: any_},
		{name: "a name besides an exported definition", method: "POST", path: "/default/jobs", body: `{:job/name "Copy" :job/definition {:id "Alone" :steps [{:id "s"}]}}`, status: 201, want: any_ + `:job/name "Copy"` + any_},
		{name: "what is wrong beside a diagram", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation ` + text + ` :job/schedule {:schedule/cron-notation "bad"}}`, status: 400, want: `\{:message "/job~1schedule/cron_notation: want` + any_},
		{name: "the name of tests", method: "POST", path: "/default/jobs", body: `{:id "_test-execution_" :steps [{:id "s"}]}`, status: 400, want: any_ + "diagrams that are tried" + any_},
		{name: "no text", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation 5}`, status: 400, want: any_},
		{name: "converted", method: "POST", path: "/jobs/convert-xml", body: `{:job-bpmn-xml ` + text + `}`, status: 201, want: `\{:job-xml "<\?xml .*<job .*id=\\"drawn\\".*<batchlet ref=.*"\}`},
		{name: "not converted", method: "POST", path: "/jobs/convert-xml", body: `{:job-bpmn-xml "<a/>"}`, status: 400, want: any_ + "/job_bpmn_xml: want" + any_},
	} {
		x.run(t, e)
	}
	e.call("POST", "/default/jobs", `{"job/name":"inJSON","job/bpmn-xml-notation":`+text+`}`).want(201)
	var v rest.Job
	e.call("GET", "/default/job/inJSON", "").want(200).into(&v)
	if v.BPMNXMLNotation != diagram || !strings.Contains(string(v.Definition), `"hello"`) {
		t.Errorf("in JSON: %q, %s", v.BPMNXMLNotation, v.Definition)
	}
}
