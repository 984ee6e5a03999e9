package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func TestEDNOfJSON(t *testing.T) {
	const text = `{"a_b":[1,2.5,true,null,"q\"\n<é"],"c":{},"d":[]}`
	got, err := convertJSON("edn", []byte(text))
	if want := `{:a-b [1 2.5 true nil "q\"\n<é"] :c {} :d []}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if back, err := jsl.ToJSON(jsl.EDN, got); err != nil || string(back) != strings.Replace(text, "a_b", "a-b", 1) {
		t.Errorf("read again: %s, %v", back, err)
	}
	for _, broken := range []string{`{"a":`, `[1`, `{"a"`, ``} {
		if got, err := convertJSON("edn", []byte(broken)); err == nil {
			t.Errorf("%s is %s", broken, got)
		}
	}
}

// definitions returns a folder with a valid job, an invalid one, and one that
// refers to a missing component.
func definitions(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "id: a\nsteps:\n  - {id: s, batchlet: {ref: Noop}}\n",
		"b.json": "{\"id\": \"b\",\n \"steps\": [{\"id\": \"s\", \"next\": \"none\"}]}",
		"c.edn":  `{:id "c" :steps [{:id "s" :batchlet {:ref "<none>"}}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+(Z|-00:00)`)

// TestAnswersForPrograms records in one file the answers that commands build
// themselves.
func TestAnswersForPrograms(t *testing.T) {
	e, _ := withBus(t)
	dir := definitions(t)
	var all strings.Builder
	for _, line := range []string{
		"context list -o json", "context add prod --server https://me:geheim@h --app shop", "context list -o json", "context list -o yaml", "context list -o edn", "context list -o xml",
		"job validate -f DIR -o json", "job validate -f DIR -o yaml", "job validate -f DIR -o edn", "job validate --offline DIR/a.yaml -o edn", "job validate DIR/a.yaml -o xml",
		"job apply -f DIR -o json", "job apply DIR/a.yaml DIR/c.edn --dry-run -o json", "job apply DIR/a.yaml DIR/c.edn -o json", "job apply -f DIR -o yaml", "job apply -f DIR/a.yaml -o edn", "job apply DIR/a.yaml -a none -o json",
		"job export a -o edn", "job export a -o yaml --format xml", "job export a", "job export a -o table", "job export a --format txt",
		"job rename a z", "job rename a z", "job rename z c", "job rename z a/b", "job rename z a -o json",
		"schedule set a 0_0_2_*_*_? -o json", "schedule delete a -y -o json", "job delete a -y -o yaml", "job delete a -y -o edn", "app delete none -y -o json", "job delete c -y -o table",
	} {
		var args []string
		for _, w := range strings.Fields(strings.ReplaceAll(line, "DIR", dir)) {
			if strings.HasPrefix(w, "0_") {
				w = strings.ReplaceAll(w, "_", " ")
			}
			args = append(args, w)
		}
		got := e.runOnce(t.Context(), args...)
		all.WriteString("$ jobstreamer " + line + "\n" + got.out + got.err)
		if got.failed != nil {
			all.WriteString("=> failed\n")
		}
		if strings.Contains(line, "-o json") && got.out != "" && !json.Valid([]byte(got.out)) {
			t.Errorf("%s: no JSON", line)
		}
	}
	text := strings.ReplaceAll(strings.ReplaceAll(all.String(), dir+string(filepath.Separator), ""), dir, "DIR")
	checkGolden(t, "answers", times.ReplaceAllString(text, "(time)"))
}
