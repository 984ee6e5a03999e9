package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// One command restarts the failures of a night; repeated, it restarts nothing
// twice.
func TestRerun(t *testing.T) {
	e, _ := withBus(t)
	for _, job := range []string{"import-a", "import-b", "other"} {
		e.applyFiles(t, job, "Noop")
	}
	e.in = ""
	if got := e.runOnce(t.Context(), "run", "import-a", "import-b", "other"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	c, err := client.New(client.Config{URL: e.vars["JOBSTREAMER_SERVER"]})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for id, job := range map[int64]string{1: "import-a", 2: "import-b", 3: "other"} {
		if _, err := c.Stop(t.Context(), "default", job, id); err != nil {
			t.Fatal(err)
		}
	}
	var all strings.Builder
	for _, line := range []string{
		"execution rerun", "execution rerun --status completed", "execution rerun --status fail", "execution rerun --since teatime", "execution rerun import-a --job x",
		"execution rerun --status failed --since 1h", "execution rerun --status failed --since 1h -o json",
		"execution rerun --status stopped --job import-* --dry-run", "execution rerun --status stopped --since 1h --job import-* --dry-run -o yaml",
		"execution rerun --status stopped,failed --since 1h --job import-*", "execution rerun --status stopped --since 1h", "execution rerun --status stopped --since 1h", "execution rerun none --status stopped",
	} {
		got := e.runOnce(t.Context(), strings.Fields(line)...)
		fmt.Fprintf(&all, "$ jobstreamer %s\n%s%s", line, got.out, got.err)
		if exit := ExitStatus(got.failed); exit != 0 {
			fmt.Fprintf(&all, "=> %d\n", exit)
		}
		all.WriteString("\n")
	}
	checkGolden(t, "rerun", all.String())
	for id, of := range map[int64]int64{4: 1, 5: 2, 6: 3} {
		x, err := c.Execution(t.Context(), "default", "", id)
		if err != nil || x.RestartOf == nil || *x.RestartOf != of || x.BatchStatus != subjects.Unrestarted {
			t.Errorf("execution %d: %+v, %v; want the restart of %d", id, x, err, of)
		}
	}
}
