package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// desk is a user's machine whose commands call a bus.
type desk struct {
	bus *devBus
	dir string
	env []string
}

func newDesk(t *testing.T) *desk {
	d := &desk{bus: startDev(t, t.TempDir()), dir: t.TempDir()}
	for range 500 { // until the agent's heartbeat has arrived
		if _, err := d.bus.Agent(t.Context(), "dev"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.env = append(testEnv, "HOME="+t.TempDir(), "JOBSTREAMER_SERVER="+d.bus.rest, "TZ="+zoneOfNoon())
	d.writeFile(t, "hello.yaml", "id: hello\nsteps:\n  - id: greet\n    batchlet:\n      ref: jobstreamer.Say\n      properties:\n        message: \"hello #{jobParameters['who']}?:you;\"\n")
	d.writeFile(t, "broken.json", `{"id": "broken", "steps": [{"id": "read", "batchlet": {"ref": "jobstreamer.Fail", "properties": {"message": "line 17 has 4 fields"}}}]}`)
	d.writeFile(t, "slow.xml", `<job id="slow"><step id="wait"><batchlet ref="jobstreamer.Sleep"><properties><property name="time" value="1h"/></properties></batchlet></step></job>`)
	d.writeFile(t, "mended.edn", `{:id "broken" :steps [{:id "read" :batchlet {:ref "jobstreamer.Noop"}}]}`)
	d.writeFile(t, "wrong.yaml", "id: wrong\nsteps:\n  - id: s\n    bachlet: {ref: x}\n  - id: s\n")
	d.writeFile(t, "unable.yaml", "id: unable\nsteps:\n  - id: nights\n    batchlet: {ref: com.example.Nobody}\nstatus_notifications: [{batch_status: failed, type: mail}]\n")
	return d
}

// zoneOfNoon returns a time zone in which the day does not end during a test,
// because times of another day have another format.
func zoneOfNoon() string {
	// The sign of Etc zones is inverted.
	return fmt.Sprintf("Etc/GMT%+d", min(max(time.Now().UTC().Hour()-12, -12), 11))
}

func (d *desk) writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runOnce runs a command line. Quotes make several words one argument.
func (d *desk) runOnce(ctx context.Context, line string) outcome {
	var args []string
	for _, w := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		args = append(args, strings.ReplaceAll(strings.Trim(w, `"`), "DIR", d.dir))
	}
	return runCaptured(ctx, d.env, args...)
}

// Variable parts of the output are replaced. Their length changes the width of
// columns.
var varying = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+(Z|-00:00)`), "(time)"},
	{regexp.MustCompile(`( {2,})\d\d:\d\d:\d\d\b`), "$1(clock)"},
	{regexp.MustCompile(`(?m)\d{4}-\d\d-\d\d \d\d:\d\d( |$)`), "(day)$1"},
	{regexp.MustCompile(`"average": [\d.]+`), `"average": (number)`},
	{regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`), "(took)"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "(server)"},
	{regexp.MustCompile(`(\S) {2,}`), "$1  "},
	{regexp.MustCompile(`Took  \(took\) on average\n`), ""}, // the job may have no average
}

func (d *desk) stableText(text string) string {
	text = strings.ReplaceAll(text, d.dir+string(filepath.Separator), "")
	for _, v := range varying {
		text = v.what.ReplaceAllString(text, v.by)
	}
	return text
}

// TestClientCommands records in one file what a user types on one day, what the
// commands print and their exit status. Output is a pipe.
func TestClientCommands(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var all strings.Builder
	for _, line := range []string{
		"app list", "app create shop -d Orders", "app create shop", "app list", "app show shop", "app delete shop", "app delete shop --yes", "app show shop",
		"job list", "job apply DIR/hello.yaml -f DIR/broken.json DIR/slow.xml", "job apply DIR/hello.yaml", "job apply DIR/wrong.yaml DIR/mended.edn", "job apply DIR/mended.edn", "job apply", "job apply DIR/none.yaml", "job apply --app none DIR/hello.yaml",
		"job validate --offline DIR/wrong.yaml", "job validate DIR/hello.yaml", "job validate --app none DIR/hello.yaml", "job export hello --format xml", "job export hello", "job export hello --format txt", "job show none",
		"run hello -p who=me --wait", "run hello --follow", "logs hello", "logs hello --bare", "logs 1 --step none", "logs 1 --follow", "logs 1 -o json", "run hello -p who", "run none", "run hello --wait --timeout soon",
		"job apply DIR/broken.json", "run broken --wait", "execution show broken", "execution wait broken", "execution restart 3 --wait", "execution restart 1", "execution abandon 4", "execution show nobody", "execution stop x",
		"run hello --idempotency-key k -p n=1", "execution wait hello", "run hello --idempotency-key k -p n=1", "run hello --idempotency-key k -p n=2", "execution wait 5",
		"schedule set hello \"0 0 2 ? * MON-FRI\" --timezone Europe/Berlin --preview --from 2026-03-27T00:00:00Z -n 3", "schedule show hello", "schedule preview hello",
		"schedule set hello \"0 0 2 1 1 ? 2199\" --timezone Europe/Berlin --misfire skip", "schedule show hello", "schedule set hello \"0 0 6 1 1 ? 2199\" --name late", "schedule show hello", "schedule show hello --name late", "schedule delete hello --name late --yes", "schedule pause hello", "job list", "schedule resume hello", "schedule preview hello -n 2", "schedule delete hello", "schedule delete hello --yes", "schedule delete hello --yes", "schedule set hello often",
		"job show hello", "job list broken", "job list --status completed -o json", "execution list hello", "execution list", "app show default -o yaml", "app show default -o edn", "app show none -o edn", "app show default -o xml",
		"agent block dev", "agent show none", "agent unblock dev", "job delete broken", "job delete broken -y", "job delete slow -y --keep-history", "job list --limit 1 --offset 2", "job list --limit 5000", "job lst", "logs", "logs 1 2", "job apply DIR/unable.yaml", "job apply DIR/unable.yaml", "job delete unable -y",
	} {
		got := d.runOnce(t.Context(), line)
		if strings.Contains(got.out+got.err, "\x1b") {
			t.Errorf("%s: a pipe gets escape codes", line)
		}
		fmt.Fprintf(&all, "$ jobstreamer %s\n%s%s", strings.ReplaceAll(line, "DIR/", ""), d.stableText(got.out), d.stableText(got.err))
		if got.code != exitOK {
			fmt.Fprintf(&all, "=> %d\n", got.code)
		}
		all.WriteString("\n")
	}
	checkGolden(t, "client", all.String())
}

func TestAgentsAreListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	got := d.runOnce(t.Context(), "agent list")
	if got.code != exitOK || !regexp.MustCompile(`(?m)^dev +ready +0 +\d+ +\d+% +\S+ .B +default +default +\S`).MatchString(got.out) {
		t.Errorf("%+v", got)
	}
	got = d.runOnce(t.Context(), "agent show dev")
	if got.code != exitOK || !strings.Contains(got.out, "Status        ready\n") {
		t.Errorf("%+v", got)
	}
}

// Ctrl-C ends a waiting command, and its execution continues.
func TestCtrlCWhileWaiting(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if got := d.runOnce(t.Context(), "job apply DIR/slow.xml"); got.code != exitOK {
		t.Fatal(got)
	}
	for i, flags := range []string{"--wait", "--follow"} {
		id := int64(i + 1)
		cmd := exec.Command(os.Args[0], "run", "slow", flags)
		cmd.Env = append(os.Environ(), append(d.env, asProgram+"=1")...)
		var out, errs lockedBuffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		d.startedID(t, id)
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Skip("no such signal here:", err)
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != cli.ExitInterrupted {
			t.Errorf("%s: %v, want exit status 130", flags, err)
		}
		want := fmt.Sprintf("interrupted: execution %d of slow continues.\n  wait  jobstreamer execution wait %d\n  stop  jobstreamer execution stop %d\n", id, id, id)
		if !strings.HasSuffix(errs.String(), want) {
			t.Errorf("%s: said %q, want %q", flags, errs.String(), want)
		}
		if e, err := d.bus.Execution(t.Context(), "default", "slow", id); err != nil || e.BatchStatus != subjects.Started {
			t.Errorf("%s: %+v, %v; want it to go on", flags, e, err)
		}
		if got := d.runOnce(t.Context(), fmt.Sprintf("execution stop %d --wait", id)); got.code != exitOK || !strings.Contains(got.out, "of slow was stopped after") {
			t.Errorf("%+v", got)
		}
		if got := d.runOnce(t.Context(), fmt.Sprintf("execution wait %d", id)); got.code != cli.ExitStopped || !strings.Contains(got.out, "of slow was stopped") {
			t.Errorf("%+v", got)
		}
	}
}

// The exit status for several executions is that of the worst end, whatever the
// order.
func TestWaitingForMany(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.runOnce(t.Context(), "job apply DIR/hello.yaml DIR/broken.json DIR/slow.xml")
	for _, c := range []struct {
		line, out string
		code      int
	}{
		{"run hello hell* --wait", "1 job: 1 completed.\n", exitOK},
		{"run broken hello --wait", "2 jobs: 1 failed, 1 completed.\n", cli.ExitFailed},
		{"run hello none --wait", "2 jobs: 1 refused, 1 completed.\n", exitError},
		{"run hello slow --wait --timeout 5s", "2 jobs: 1 completed, 1 not ended.\n", cli.ExitTimeout},
		{"execution stop slow hello --wait", "", exitError}, // no execution of hello is running
		{"execution stop s* --wait", "1 execution: 1 stopped.\n", exitOK},
		{"execution rerun --status failed --since 1h --wait", "1 execution: 1 failed.\n", cli.ExitFailed},
		{"run hello broken --wait -o json", "\"result\": \"failed\",\n    \"answer\": {\n      \"execution_id\": ", cli.ExitFailed},
	} {
		if got := d.runOnce(t.Context(), c.line); got.code != c.code || !strings.Contains(got.out, c.out) {
			t.Errorf("%s: %+v, want exit status %d and %q", c.line, got, c.code, c.out)
		}
	}
}

// startedID waits until an execution has started.
func (d *desk) startedID(t *testing.T, id int64) {
	t.Helper()
	for range 1000 {
		e, err := d.bus.Execution(t.Context(), "default", "", id)
		if err == nil && e.BatchStatus == subjects.Started {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("execution %d was not started", id)
}

func TestWaitingHasATimeout(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.runOnce(t.Context(), "job apply DIR/slow.xml")
	got := d.runOnce(t.Context(), "run slow --wait --timeout 200ms --app default --server "+d.bus.rest)
	if got.code != cli.ExitTimeout || !strings.Contains(got.err, "not ended within 200ms: execution 1 of slow continues.\n  wait  jobstreamer execution wait 1 --app default\n") {
		t.Errorf("%+v", got)
	}
	d.runOnce(t.Context(), "execution stop 1")
}

// A waiting command retries while the control bus cannot be reached, once it
// knows the execution.
func TestWaitingOutlivesTheServer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.runOnce(t.Context(), "job apply DIR/slow.xml")
	to, _ := url.Parse(d.bus.rest)
	proxy := httputil.NewSingleHostReverseProxy(to)
	away := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "wait=") {
			select {
			case <-away:
			default:
				close(away)
				d.bus.Stop(r.Context(), "default", "slow", 1) //nolint:errcheck // the command reports it
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprint(w, `{"code": "unavailable", "status": 503}`)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	defer s.Close()
	if got := d.runOnce(t.Context(), "run slow --wait --server "+s.URL); got.code != cli.ExitStopped || !strings.Contains(got.out, "Execution 1 of slow was stopped") {
		t.Errorf("%+v", got)
	}
}

// startWatching runs a command with --watch until the test ends.
func (d *desk) startWatching(t *testing.T, line string) *lockedBuffer {
	ctx, cancel := context.WithCancel(t.Context())
	var out lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- runCommand(ctx, strings.Fields(line), streams{strings.NewReader(""), &out, &out}, d.env)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("exit status %d: %s", code, out.String())
		}
	})
	return &out
}

// outputMatches waits until the output matches what.
func outputMatches(out *lockedBuffer, what string, within time.Duration) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(out.String(), what) {
			return true
		}
	}
	return false
}

func TestWatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.runOnce(t.Context(), "job apply DIR/hello.yaml")
	often := d.startWatching(t, "execution list hello --watch --interval 100ms")
	seldom := d.startWatching(t, "execution list hello --watch --interval 1h")
	if none := "No executions of hello."; !outputMatches(often, none, 20*time.Second) || !outputMatches(seldom, none, 20*time.Second) {
		t.Fatalf("%q and %q", often.String(), seldom.String())
	}
	d.runOnce(t.Context(), "run hello --wait")
	if !outputMatches(often, "completed", 20*time.Second) {
		t.Fatalf("%q", often.String())
	}
	time.Sleep(500 * time.Millisecond) // nothing changes
	if n := strings.Count(often.String(), "completed"); n != 1 {
		t.Errorf("%d times what did not change: %s", n, often.String())
	}
	for range 10 { // the event of an execution that ends before the subscription is lost
		if outputMatches(seldom, "completed", 2*time.Second) {
			return
		}
		d.runOnce(t.Context(), "run hello --wait")
	}
	t.Errorf("nothing was heard: %s", seldom.String())
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.runOnce(t.Context(), "job apply DIR/hello.yaml DIR/broken.json")
	d.runOnce(t.Context(), "run hello --wait")
	d.runOnce(t.Context(), "context add prod --server "+d.bus.rest)
	for _, c := range []struct{ line, want string }{
		{`run ""`, "broken\tnever run\nhello\t1 completed\n:4\n"},
		{`run hello ""`, "broken\tnever run\n:4\n"},
		{`app show default ""`, ":4\n"},
		{`run --app ""`, "default\n:4\n"},
		{`logs ""`, "1\thello completed\nbroken\tnever run\nhello\t1 completed\n:4\n"},
		{`execution stop ""`, "1\thello completed\nbroken\tnever run\nhello\t1 completed\n:4\n"},
		{`agent show ""`, "dev\tready on "},
		{`context select ""`, "prod\t" + d.bus.rest + "\n:4\n"},
		{`app list --context ""`, "prod\t"},
		{`app show ""`, "default\n:4\n"},
		{`app deploy default ""`, ":0\n"},
		{`job apply ""`, "json\nyaml\nyml\nedn\nxml\n:8\n"},
		{`job list -o ""`, "table\nwide\njson\nyaml\nedn\n:4\n"},
		{`job export hello --format ""`, "json\nyaml\nedn\nxml\n:4\n"},
		{`run --app none ""`, ":4\n"},
		{`run --server http://127.0.0.1:1 ""`, ":4\n"},
	} {
		args := append([]string{"__complete"}, strings.Fields(c.line)...)
		args[len(args)-1] = ""
		if got := runCaptured(t.Context(), d.env, args...); !strings.HasPrefix(got.out, c.want) || strings.Contains(got.err, "rror") {
			t.Errorf("%s: %q %q, want %q", c.line, got.out, got.err, c.want)
		}
	}
}

func TestCompletionIsBounded(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	begin := time.Now()
	got := runCaptured(t.Context(), append(testEnv, "HOME="+t.TempDir(), "JOBSTREAMER_SERVER="+s.URL), "__complete", "run", "")
	if took := time.Since(begin); took < 900*time.Millisecond || got.out != ":4\n" {
		t.Errorf("%q after %s, want nothing after a second", got.out, took)
	}
}

func TestUnreachable(t *testing.T) {
	for line, want := range map[string]string{
		"app list --server http://127.0.0.1:1":            "jobstreamer: cannot reach the control bus at http://127.0.0.1:1: connection refused\nIs it running? ",
		"run hello --wait --server http://nohost.invalid": "jobstreamer: cannot reach the control bus at http://nohost.invalid: unknown host nohost.invalid\n",
		"app list -o yaml --server http://127.0.0.1:1":    "jobstreamer: cannot reach the control bus",
	} {
		got := runCaptured(t.Context(), append(testEnv, "HOME="+t.TempDir()), strings.Fields(line)...)
		if got.code != cli.ExitAway || got.out != "" || !strings.HasPrefix(got.err, want) {
			t.Errorf("%s: %+v, want %q", line, got, want)
		}
	}
}

// Commands that save a context do not save values of the environment.
func TestContextsAreNotTakenFromTheEnvironment(t *testing.T) {
	env := append(testEnv, "HOME="+t.TempDir(), "JOBSTREAMER_APP=other", "JOBSTREAMER_SERVER=http://env:1")
	if got := runCaptured(t.Context(), env, "context", "add", "x"); got.code != exitUsage {
		t.Errorf("%+v, want a server to be named", got)
	}
	if got := runCaptured(t.Context(), env, "context", "add", "x", "--server", "http://me:geheim@h:1"); got.code != exitOK {
		t.Errorf("%+v", got)
	}
	for _, line := range []string{"context show", "context list", "app list --context x", "__complete context select x"} {
		got := runCaptured(t.Context(), env, strings.Fields(line)...)
		if strings.Contains(got.out, "other") || strings.Contains(got.out+got.err, "geheim") {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestDeployToARealServer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	classes := filepath.Join(d.dir, "classes", "META-INF")
	if err := os.MkdirAll(classes, 0o700); err != nil {
		t.Fatal(err)
	}
	d.writeFile(t, filepath.Join("classes", "META-INF", "batch.xml"), `<batch-artifacts xmlns="http://xmlns.jcp.org/xml/ns/javaee"/>`)
	first := d.runOnce(t.Context(), "app deploy shop DIR/classes")
	if first.code != exitOK || !strings.Contains(first.out, "  new\n") || !strings.Contains(first.out, "Revision 1 of shop is deployed") {
		t.Fatalf("%+v", first)
	}
	d.writeFile(t, filepath.Join("classes", "more.txt"), "more")
	second := d.runOnce(t.Context(), "app deploy shop DIR/classes")
	if second.code != exitOK || !strings.Contains(second.out, "Revision 2 of shop is deployed") {
		t.Fatalf("%+v", second)
	}
	d.writeFile(t, filepath.Join("classes", "still.txt"), "more")
	// This answer does not list the missing jars.
	edn := d.runOnce(t.Context(), "app deploy edn DIR/classes -o edn")
	if edn.code != exitOK || !strings.Contains(edn.out, ":revision 1") {
		t.Errorf("%+v", edn)
	}
	if got := d.runOnce(t.Context(), "app use shop 7"); got.code != exitError || !strings.Contains(got.err, "app revisions") {
		t.Errorf("%+v", got)
	}
	if got := d.runOnce(t.Context(), "app use shop 1"); got.code != exitOK || got.out != "Application shop uses revision 1.\n" {
		t.Errorf("%+v", got)
	}
	if got := d.runOnce(t.Context(), "app revisions shop"); !regexp.MustCompile(`(?m)^ +1  current `).MatchString(got.out) || !regexp.MustCompile(`(?m)^ +2 +\d`).MatchString(got.out) {
		t.Errorf("%+v", got)
	}
	if got := d.runOnce(t.Context(), "app components shop"); got.code != exitOK || !strings.HasPrefix(got.out, "REF") {
		t.Errorf("%+v", got)
	}
	d.writeFile(t, "lacks.yaml", "id: lacks\nsteps:\n  - id: s\n    batchlet: {ref: no.Such}\n")
	for _, line := range []string{"job validate --app shop DIR/lacks.yaml", "job apply --app shop DIR/lacks.yaml", "job apply --app shop DIR/lacks.yaml"} {
		if got := d.runOnce(t.Context(), line); got.code != exitOK || !strings.Contains(got.err, "lacks.yaml: warning: /steps/0/batchlet/ref: shop has no batchlet named no.Such") {
			t.Errorf("%s: %+v", line, got)
		}
	}
	var list rest.List[rest.Deployment]
	list, err := d.bus.Deployments(t.Context(), "shop")
	if err != nil || list.Hits != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}
