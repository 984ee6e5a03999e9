package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func TestFormOfAText(t *testing.T) {
	for text, want := range map[string]jsl.Format{
		"\xff\xfe<\x00": jsl.XML, "\x00<\x00j": jsl.XML,
		`{"id": "a"}`: jsl.JSON, "\ufeff { }": jsl.JSON, `{:id "a"}`: jsl.EDN, "; a job\n{:id \"a\"}": jsl.EDN, `{ ,#_x :id "a"}`: jsl.EDN,
		"<job id='a'/>": jsl.XML, "\n<?xml version='1.0'?>": jsl.XML, "id: a": jsl.YAML, "# a job\nid: a": jsl.YAML, "": jsl.YAML,
	} {
		if got := guessFormat([]byte(text)); got != want {
			t.Errorf("guess(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestValidateOffline(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yaml":  "id: good\nsteps:\n  - id: s\n    batchlet: {ref: x}\n",
		"good.xml":   `<job id="goodxml"><step id="s"><batchlet ref="x"/></step></job>`,
		"good.edn":   `{:id "goodedn" :steps [{:id "s" :batchlet {:ref "x"}}]}`,
		"bad.json":   "{\"id\": \"bad\",\n \"steps\": [{\"id\": \"s\", \"batchlt\": {}},\n {\"id\": \"s\", \"next\": \"none\"}]}",
		"broken.xml": "<job id='x'>\n<step",
		"notes.txt":  "no definition",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := newEnv(t)
	got := e.runOnce(t.Context(), "job", "validate", "--offline", "-f", dir)
	checkGolden(t, "validate", strings.ReplaceAll(got.out+got.err, dir+string(filepath.Separator), ""))
	if got.failed != ErrPrinted {
		t.Errorf("%v, want exit status 1", got.failed)
	}
	e.in = "id: piped\nsteps:\n  - id: s\n    batchlet: {ref: x}\n"
	if got := e.runOnce(t.Context(), "job", "validate", "--offline", "-f", "-"); got.failed != nil || got.out != "piped valid (stdin)\n" {
		t.Errorf("%+v", got)
	}
	e.vars["JOBSTREAMER_SERVER"] = "http://127.0.0.1:1"
	if got := e.runOnce(t.Context(), "job", "validate", filepath.Join(dir, "good.edn")); got.failed != nil || !strings.Contains(got.err, "Components were not checked: cannot reach") {
		t.Errorf("%+v", got)
	}
}
