package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A test execution runs jobs of every shape to their end, without any of their
// artifacts.
func TestTestExecutionsOfEveryShape(t *testing.T) {
	d := startDev(t, t.TempDir())
	batchlet := `<batchlet ref="no.such"/>`
	chunk := `<chunk checkpoint-policy="custom" skip-limit="3"><reader ref="no.reader"/><processor ref="no.processor"/><writer ref="no.writer"/><checkpoint-algorithm ref="no.algorithm"/></chunk>`
	for _, c := range []struct{ name, steps, want string }{
		{"a step", `<step id="a">` + batchlet + `</step>`, "a"},
		{"listeners", `<step id="a"><listeners><listener ref="no.listener"/></listeners>` + batchlet + `</step>`, "a"},
		{"a chunk", `<step id="a">` + chunk + `</step>`, "a 25 read 3 commits"},
		{"a flow", `<flow id="f" next="b"><step id="a">` + batchlet + `</step></flow><step id="b">` + batchlet + `</step>`, "a b"},
		{"a split", `<split id="s" next="c"><flow id="f"><step id="a">` + batchlet + `</step></flow><flow id="g"><step id="b">` + chunk + `</step></flow></split><step id="c">` + batchlet + `</step>`, "a b c 25 read 3 commits"},
		{"a decision goes to an element", `<step id="a" next="d">` + batchlet + `</step><decision id="d" ref="no.decider"><fail on="BAD"/><next on="GOOD?*" to="b"/></decision><step id="b">` + batchlet + `</step>`, "a b"},
		{"a decision that only ends", `<step id="a" next="d">` + batchlet + `</step><decision id="d" ref="no.decider"><end on="*"/></decision>`, "a"},
		{"partitions", `<step id="a">` + chunk + `<partition><mapper ref="no.mapper"/><collector ref="no.collector"/></partition></step>`, "a 50 read 6 commits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			xml := `<job xmlns="https://jakarta.ee/xml/ns/jakartaee" version="2.0" id="t">` + `<listeners><listener ref="no.listener"/></listeners>` + c.steps + `</job>`
			body, _ := json.Marshal(rest.TestExecution{XML: xml})
			var begun struct {
				ID int64 `json:"state_id"`
			}
			askJSON(t, "POST", d.rest+"/test-executions", string(body), &begun)
			e, err := d.Await(t.Context(), "default", "_test-execution_", begun.ID, 30*time.Second)
			if err != nil || e.BatchStatus != subjects.Completed {
				t.Fatalf("it is %+v, %v", e, err)
			}
			var got []string
			var read, commits int64
			for _, s := range e.StepExecutions {
				got = append(got, s.StepName)
				if s.Metrics != nil {
					read, commits = read+s.Metrics.Read, commits+s.Metrics.Commit
				}
			}
			// Flows of a split begin in any order.
			if strings.HasPrefix(c.want, "a b") && len(got) > 1 && got[0] == "b" {
				got[0], got[1] = "a", "b"
			}
			text := strings.Join(got, " ")
			if read > 0 {
				text += fmt.Sprintf(" %d read %d commits", read, commits)
			}
			if text != c.want {
				t.Errorf("it ran %s, want %s", text, c.want)
			}
		})
	}
}

// askJSON sends a request and decodes the answer.
func askJSON(t *testing.T, method, url, body string, v any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s: %s, %v", resp.Status, data, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}
