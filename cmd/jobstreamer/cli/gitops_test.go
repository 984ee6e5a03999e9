package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// makeFolder returns a folder with the given files by path.
func makeFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	return dir
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func yamlJob(id string) string {
	return fmt.Sprintf("id: %s\nsteps:\n  - id: s\n    batchlet:\n      ref: Noop\n", id)
}

const nightlySchedule = "schedule:\n  cron_notation: \"0 0 2 ? * MON-FRI\"\n  active: true\n"

// TestApplyAFolder records the output of job apply in one file: for a new, a
// changed, an invalid and a pruned folder, and for dry runs.
func TestApplyAFolder(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "other", "Noop")
	dir := makeFolder(t, map[string]string{
		"nightly.yaml":       "# at night\n" + yamlJob("nightly") + nightlySchedule,
		"billing/bill.json":  `{"id":"bill","steps":[{"id":"s","batchlet":{"ref":"Noop"}}],"time_monitor":{"duration":5,"action":"stop"}}`,
		"billing/deep/d.edn": `{:id "deep" :steps [{:id "s" :batchlet {:ref "Noop"}}] :status-notifications [{:batch-status :failed :type "mail"}]}`,
		"more.yml":           yamlJob("m1") + "---\n# the second\n" + yamlJob("m2") + "---\n# nothing\n",
		"x.xml":              `<job id="x"><step id="s"><batchlet ref="Noop"/></step></job>`,
		"README.md":          "no job", ".hidden.yaml": "no job", ".git/config.yaml": "no job",
	})
	var all strings.Builder
	try := func(line string) outcome {
		t.Helper()
		got := e.runOnce(t.Context(), strings.Fields(strings.ReplaceAll(line, "DIR", dir))...)
		fmt.Fprintf(&all, "$ jobstreamer %s\n%s%s", line, got.out, got.err)
		if status := ExitStatus(got.failed); status != 0 {
			fmt.Fprintf(&all, "exit status %d\n", status)
		}
		all.WriteByte('\n')
		return got
	}
	try("job apply DIR --dry-run --exit-code")
	try("job show nightly")
	try("job apply DIR")
	try("job apply DIR --dry-run --exit-code --prune=false")
	writeFile(t, filepath.Join(dir, "nightly.yaml"), "# at night\n"+yamlJob("nightly")+strings.Replace(nightlySchedule, "0 0 2", "0 30 2", 1))
	try("job apply DIR --dry-run --diff --prune --exit-code")
	try("job apply DIR --prune")
	try("job apply DIR --prune --yes --diff")
	try("job apply DIR")
	try("job show other")
	writeFile(t, filepath.Join(dir, "more.yml"), yamlJob("m1")+"---\n"+strings.Replace(yamlJob("m2"), "batchlet", "batchlt", 1))
	writeFile(t, filepath.Join(dir, "nightly.yaml"), yamlJob("nightly")+"schedule:\n  cron_notation: 0 99 2 * * ?\n")
	writeFile(t, filepath.Join(dir, "new.yaml"), yamlJob("new"))
	try("job apply DIR")
	try("job apply DIR -o yaml")
	try("job show new")
	writeFile(t, filepath.Join(dir, "billing", "again.yaml"), yamlJob("x"))
	writeFile(t, filepath.Join(dir, "billing", "third.yaml"), yamlJob("deep"))
	try("job apply DIR")
	try("job validate --offline DIR")
	try("job apply DIR --exit-code")
	try("job apply DIR --keep-history")
	checkGolden(t, "folder", times.ReplaceAllString(strings.ReplaceAll(all.String(), dir, "DIR"), "TIME"))
}

// A job that someone else changes between the check and the write is not
// overwritten.
func TestApplyOverwritesNoOtherChange(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "a", "Noop")
	c := New(Config{Env: e.vars, Dir: e.dir, Out: os.Stderr, Err: os.Stderr})
	inv, err := c.newInvocation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer inv.client.Close()
	file := filepath.Join(makeFolder(t, map[string]string{"a.yaml": yamlJob("a") + "exclusive: true\n", "b.yaml": yamlJob("b")}), "")
	found, err := inv.definitions([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	p, err := inv.planFiles(found, &applyOptions{})
	if err != nil || p.countResult(changed) != 1 || p.countResult(created) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	e.applyFiles(t, "a", "Other")
	if err := p.carryOut(); err == nil || !strings.Contains(err.Error(), "changed by someone else") || p.countResult(skipped) != 2 {
		t.Errorf("%v", err)
	}
	if got := e.runOnce(t.Context(), "job", "export", "a"); !strings.Contains(got.out, "Other") {
		t.Errorf("%+v", got)
	}
}

// An exported job can be applied without a change, on another control bus too.
// A second export is identical.
func TestExportToAFolder(t *testing.T) {
	e, _ := withBus(t)
	for _, job := range []string{"nightly", "Nightly", "CON", "plain"} {
		e.in = yamlJob(job) + nightlySchedule + "status_notifications:\n  - exit_status: X\n    type: mail\n"
		if got := e.runOnce(t.Context(), "job", "apply", "-f", "-"); got.failed != nil {
			t.Fatalf("%+v", got)
		}
	}
	dir := filepath.Join(t.TempDir(), "jobs")
	export := func(args ...string) outcome {
		t.Helper()
		return e.runOnce(t.Context(), append([]string{"job", "export", "-o", dir}, args...)...)
	}
	if got := export("--dry-run"); got.failed != nil || !strings.Contains(got.out, "4 jobs: 4 would be written.") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("--dry-run made the folder")
	}
	if got := export(); got.failed != nil || !strings.HasSuffix(got.out, "4 jobs: 4 written.\n") {
		t.Fatalf("%+v", got)
	}
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Fatal(entries, err)
	}
	for _, f := range entries {
		files[f.Name()] = readFile(t, filepath.Join(dir, f.Name()))
	}
	for _, name := range []string{"%43ON.yaml", "plain.yaml", "nightly~" + nameDigest("nightly") + ".yaml", "Nightly~" + nameDigest("Nightly") + ".yaml"} {
		if files[name] == "" {
			t.Errorf("no %s: %v", name, entries)
		}
	}
	if want := yamlJob("plain") + nightlySchedule + "schedules: {}\ntriggers: null\ntime_monitor: null\nstatus_notifications:\n  - exit_status: X\n    type: mail\n"; files["plain.yaml"] != want {
		t.Errorf("%s, want\n%s", files["plain.yaml"], want)
	}
	if got := export(); got.failed != nil || got.out != "4 jobs: 4 unchanged.\n" {
		t.Errorf("again: %+v", got)
	}
	if got := e.runOnce(t.Context(), "job", "apply", dir, "--prune", "--dry-run", "--exit-code"); got.failed != nil {
		t.Errorf("%+v", got)
	}
	elsewhere, _ := withBus(t)
	if got := elsewhere.runOnce(t.Context(), "job", "apply", dir); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	again := filepath.Join(t.TempDir(), "again")
	if got := elsewhere.runOnce(t.Context(), "job", "export", "-o", again); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	for name, text := range files {
		if got := readFile(t, filepath.Join(again, name)); got != text {
			t.Errorf("%s: %s, want\n%s", name, got, text)
		}
	}
}

// An export keeps existing files with their format and comments, and does not
// overwrite other content.
func TestExportToFilesThatAreThere(t *testing.T) {
	e, _ := withBus(t)
	for _, job := range []string{"kept", "moved", "taken", "drawn"} {
		e.applyFiles(t, job, "Noop")
	}
	comment := "# mine\n" + yamlJob("kept")
	dir := makeFolder(t, map[string]string{
		"deep/k.yaml": comment, "deep/m.json": `{"id":"moved","steps":[{"id":"other"}]}`, "gone.yaml": yamlJob("gone"),
		"x.xml": `<job id="drawn"><step id="other"/></job>`,
	})
	export := func(args ...string) outcome {
		t.Helper()
		return e.runOnce(t.Context(), append([]string{"job", "export", "-o", dir}, args...)...)
	}
	writeFile(t, filepath.Join(dir, "taken.yaml"), "no job")
	if got := export(); got.failed == nil || !strings.Contains(got.err, "taken.yaml exists and does not define it") || !strings.Contains(got.err, "Nothing was written") {
		t.Errorf("%+v", got)
	}
	if got := readFile(t, filepath.Join(dir, "deep", "m.json")); !strings.Contains(got, "other") {
		t.Error("something was written")
	}
	e.runOnce(t.Context(), "schedule", "set", "drawn", "0 0 2 * * ?")
	got := export("--force")
	if got.failed != nil || !strings.Contains(got.out, "4 jobs: 3 written, 1 unchanged.") || !strings.Contains(got.err, "does not have the jobs that these files define: "+filepath.Join(dir, "gone.yaml")) || !strings.Contains(got.err, "x.xml: warning: XML cannot contain") {
		t.Errorf("%+v", got)
	}
	if got := readFile(t, filepath.Join(dir, "deep", "k.yaml")); got != comment {
		t.Errorf("a comment is gone: %s", got)
	}
	if got := readFile(t, filepath.Join(dir, "deep", "m.json")); !strings.Contains(got, "\n  \"schedule\": null,\n") || !strings.Contains(got, "Noop") {
		t.Errorf("%s", got)
	}
	e.runOnce(t.Context(), "schedule", "set", "kept", "0 0 2 * * ?")
	if got := export("k*"); got.failed != nil || !strings.Contains(readFile(t, filepath.Join(dir, "deep", "k.yaml")), "0 0 2") {
		t.Errorf("a file without a word about the schedule: %+v", got)
	}
	writeFile(t, filepath.Join(dir, "twice.yaml"), yamlJob("kept"))
	if got := export("kept"); got.failed == nil || !strings.Contains(got.err, "twice.yaml define it") {
		t.Errorf("%+v", got)
	}
	if got := export("moved", "--format", "edn"); got.failed == nil || !strings.Contains(got.err, "m.json defines it as json") {
		t.Errorf("%+v", got)
	}
}

func TestExportToStandardOutput(t *testing.T) {
	e, _ := withBus(t)
	for _, job := range []string{"n1", "n2", "other"} {
		e.applyFiles(t, job, "Noop")
	}
	got := e.runOnce(t.Context(), "job", "export", "n*")
	whole := func(job string) string {
		return yamlJob(job) + "schedule: null\nschedules: {}\ntriggers: null\ntime_monitor: null\nstatus_notifications: []\n"
	}
	if got.out != whole("n1")+"---\n"+whole("n2") || got.err != "2 jobs: 2 printed.\n" {
		t.Errorf("%+v", got)
	}
	e.in = got.out
	if got := e.runOnce(t.Context(), "job", "apply", "-f", "-", "--dry-run", "--exit-code"); got.failed != nil || !strings.HasPrefix(got.out, "n1 unchanged (stdin)\nn2 unchanged (stdin)\n") {
		t.Errorf("%+v", got)
	}
	e.in = "n1\nnone\n"
	if got := e.runOnce(t.Context(), "job", "export", "-", "--definition"); ExitStatus(got.failed) != ExitError || got.out != yamlJob("n1") || !strings.HasSuffix(got.err, "2 jobs: 1 printed, 1 refused.\n") {
		t.Errorf("%+v", got)
	}
	for line, want := range map[string]string{
		"job export": "no jobs given", "job export n* -o json": "2 jobs cannot be printed as one json text", "job export n1 --dry-run": "--dry-run and --force require -o DIR", "job export x*": "matches none", "job export n1 --format txt": "--format txt",
	} {
		if got := e.runOnce(t.Context(), strings.Fields(line)...); got.failed == nil || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestFileNames(t *testing.T) {
	long := strings.Repeat("n", 250)
	for job, want := range map[string]string{
		"nightly": "nightly", "a.b_c-D": "a.b_c-D", ".hidden": "%2Ehidden", "a/b": "a%2Fb", "夜": "%E5%A4%9C", "con": "%63on", "Con.x": "%43on.x", "console": "console",
		"com1": "%63om1", "com": "com", long: long[:maxFileName] + "~" + nameDigest(long),
	} {
		if got := fileName(job); got != want {
			t.Errorf("fileName(%q) = %q, want %q", job, got, want)
		}
	}
}

func TestDocuments(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"one", "id: a\n", []string{"id: a\n"}},
		{"one after a mark", "---\nid: a\n", []string{"---\nid: a\n"}},
		{"two", "id: a\n---\nid: b\n", []string{"id: a\n", "\n   \nid: b\n"}},
		{"one on the line of its mark", "id: a\n--- {id: b}\n...\n", []string{"id: a\n", "\n    {id: b}\n...\n"}},
		{"a line that is no mark", "id: a\nx: |\n  ---\n---x: 1\n", []string{"id: a\nx: |\n  ---\n---x: 1\n"}},
	} {
		var got []string
		for _, d := range (definition{form: "yaml", text: []byte(tc.text)}).splitDocuments() {
			got = append(got, string(d.text))
		}
		if strings.Join(got, "|") != strings.Join(tc.want, "|") {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
