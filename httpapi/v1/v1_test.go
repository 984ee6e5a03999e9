package v1

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func TestReadsOnlyEDN(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		path   string
		want   bool
	}{
		"a body in EDN":            {http.Header{"Content-Type": {"application/edn; charset=utf-8"}}, "/default/jobs", true},
		"the Maven plugin's token": {http.Header{"Authorization": {"Token x"}}, "/default/jobs", true},
		"a key of a program":       {http.Header{"Authorization": {"Bearer x"}}, "/default/jobs", false},
		"a cookie from a page":     {http.Header{"Origin": {"http://c"}, "Cookie": {"a=b; ring-session=x"}}, "/apps", true},
		"a page without a cookie":  {http.Header{"Origin": {"http://c"}}, "/apps", false},
		"the diagram editor":       {http.Header{"Origin": {"http://c"}}, "/default/batch-components", true},
		"a download":               {nil, "/default/jobs/download", true},
		"anybody else":             {nil, "/default/jobs", false},
	} {
		if got := ReadsOnlyEDN(c.header.Get, c.path); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestIsLogin(t *testing.T) {
	for body, want := range map[string]bool{`{"user/id":"a"}`: true, `{"id":"a"}`: false, `{:user/id "a"}`: false, "": false} {
		if got := IsLogin([]byte(body)); got != want {
			t.Errorf("IsLogin(%s) = %v, want %v", body, got, want)
		}
	}
}

func TestIgnores(t *testing.T) {
	for keyword, want := range map[string]bool{"job/id": true, "db/id": true, "id": false, "job": false, "other/id": false} {
		if got := Ignores(keyword); got != want {
			t.Errorf("Ignores(%s) = %v, want %v", keyword, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		method     string
		from, want int
	}{{"PUT", 200, 201}, {"PUT", 204, 204}, {"GET", 200, 200}, {"POST", 422, 400}, {"GET", 404, 404}} {
		if got := Status(c.method, c.from); got != c.want {
			t.Errorf("Status(%s, %d) = %d, want %d", c.method, c.from, got, c.want)
		}
	}
}

func TestProblemOf(t *testing.T) {
	one := ProblemOf(&rest.Problem{Title: "Not Found", Code: "not_found"})
	if one.Message != "Not Found" || len(one.Messages) != 1 || one.ExecutionID != nil {
		t.Errorf("%+v, want the title in message and messages", one)
	}
	var p rest.Problem
	for range 7 {
		p.Errors = append(p.Errors, rest.Fault{Message: "m"})
	}
	if many := ProblemOf(&p); many.Message != "m; m; m; m; m; and 2 more" || len(many.Messages) != 7 {
		t.Errorf("%+v, want the first five faults in the message", many)
	}
}

// wordsOf reads the words of a body in EDN.
func wordsOf(t *testing.T, edn string) Words {
	t.Helper()
	text, err := jsl.ParseText(jsl.EDN, []byte(edn), "")
	if err != nil {
		t.Fatal(err)
	}
	w, err := ReadWords(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWords(t *testing.T) {
	w := wordsOf(t, `{:job/name "a" :job/definition {:id "b" :steps []} :job/schedule {:schedule/cron-notation "x"} :job/status-notifications [{:db/id 7}]}`)
	if w.Name != "a" || !w.Whole || w.Drawn || w.Schedule == nil {
		t.Errorf("%+v", w)
	}
	wrong := w.Faults(func(part any) (f codec.Faults) {
		if n, ok := part.(*rest.NewStatusNotification); ok && n.ID != 0 {
			t.Errorf("the notification still has the id %d of where it was exported", n.ID)
		}
		f.Add("/x", "y", "z")
		return f
	})
	if len(wrong) != 2 || wrong[0].Pointer != "/job~1status-notifications/0/x" || wrong[1].Pointer != "/job~1schedule/x" {
		t.Errorf("faults %+v", wrong)
	}
	j := &jsl.Job{ID: "b"}
	if err := w.Rename(j); err != nil || j.ID != "a" {
		t.Errorf("renamed to %s, %v", j.ID, err)
	}
	var all codec.Faults
	if err := (&Words{Name: "a/b"}).Rename(j); !errors.As(err, &all) || all[0].Pointer != "/job~1name" {
		t.Errorf("a name with a slash: %v", err)
	}
}

func TestDiagramThatIsNone(t *testing.T) {
	_, err := ReadDiagram("<x/>", "/bpmn")
	var all codec.Faults
	if !errors.As(err, &all) || all[0].Pointer != "/bpmn" || !strings.Contains(all[0].Detail, "of the diagram") {
		t.Errorf("%v, want a fault of /bpmn that names a place in the diagram", err)
	}
}

func TestRemoveWork(t *testing.T) {
	j, err := jsl.ParseJSON([]byte(`{"id":"a","listeners":[{"ref":"L"}],"steps":[{"id":"s","chunk":{"reader":{"ref":"R"},"writer":{"ref":"W"}},"next":"f"},
		{"id":"f","steps":[{"id":"t","batchlet":{"ref":"B"}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := RemoveWork(j).MarshalJSON()
	if err != nil || strings.Count(string(text), TestBatchlet) != 1 || strings.Count(string(text), TestReader) != 1 || strings.Contains(string(text), "listeners") {
		t.Errorf("%s, %v, want a batchlet and a chunk that do nothing", text, err)
	}
}

// A decision goes on to an element if it can.
func TestTestAnswer(t *testing.T) {
	next := func(on string) jsl.Transition { return jsl.Transition{Action: jsl.Next, On: on, To: "x"} }
	end := func(on string) jsl.Transition { return jsl.Transition{Action: jsl.End, On: on} }
	for _, c := range []struct {
		name        string
		transitions []jsl.Transition
		want        string
	}{
		{"any exit status", []jsl.Transition{next("*")}, "TEST"},
		{"wildcards", []jsl.Transition{end("BAD"), next("A*B?")}, "ABx"},
		{"a transition that another one hides", []jsl.Transition{end("A*"), next("AB"), next("C")}, "C"},
		{"no element", []jsl.Transition{end("OK"), end("*")}, "OK"},
		{"no transition", nil, "TEST"},
	} {
		if got := testAnswer(&jsl.Decision{Transitions: c.transitions}); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
