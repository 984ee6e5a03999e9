package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The test looks for the second half of the secret: JSON and EDN write it as it
// is. They escape characters of the first half.
const (
	secretCore  = "4711-Wort-vom-Keller"
	secretValue = `Geheim"&` + secretCore
)

// TestSecretsStayHidden runs a job that does with a secret what it should not,
// on the agent of the bus's account and on one with an account of its own. The
// processes have the value, and nothing else has.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the job is a shell script")
	}
	data, dir := t.TempDir(), t.TempDir()
	d := startDev(t, data, "--log-level", "debug")
	keys, err := accounts.ReadKeys(data)
	failOnError(t, err)
	asBus, err := keys.ConnectBus()
	failOnError(t, err)
	asSystem, err := keys.ConnectSystem()
	failOnError(t, err)
	creds := filepath.Join(dir, "a1.creds")
	if o := runCaptured(t.Context(), testEnv, "agent-token", "create", "a1", "--server", d.rest, "-o", creds); o.code != exitOK {
		t.Fatalf("exit code %d: %s", o.code, o.err)
	}
	taps := []*tap{d.tapAccount(t, "bus", asBus), d.tapAccount(t, "system", asSystem), d.tapAccount(t, "agent", nats.UserCredentials(creds))}
	events := d.tapEvents(t)
	a1 := startAgent(t, "--nats-creds", creds, "--nats-url", d.nats, "--name", "a1", "--pools", "remote", "--data", t.TempDir(), "--log-level", "debug")

	put, err := json.Marshal(rest.NewSecret{Value: secretValue})
	failOnError(t, err)
	d.readHidden(t, "PUT", "/default/secret/DB_PASSWORD", "application/json", string(put))
	paths := []string{
		"/default/secrets", "/apps", "/app/default", "/default/stats", "/default/jobs", "/default/jobs/download", "/default/executions", "/executions",
		"/agents", "/alerts", "/notifications/dead",
	}
	for pool, agent := range map[string]string{"default": "dev", "remote": "a1"} {
		id := d.runTellingJob(t, "tell-"+agent, pool, agent, filepath.Join(dir, agent))
		job := "/default/job/tell-" + agent
		execution := fmt.Sprintf("/execution/%d", id)
		paths = append(paths, job, job+"/definition", job+"/file", job+"/settings", job+"/executions", job+"/why",
			job+execution, job+execution+"/log", "/default"+execution, "/default"+execution+"/why", "/default"+execution+"/log")
		if text := d.readHidden(t, "GET", job+execution+"/log", "text/event-stream", ""); !strings.Contains(text, "it is ***") {
			t.Errorf("the log as events: %s", text)
		}
		waitUntil(t, "the end is an event", func() bool {
			for event := range strings.Lines(events.String()) {
				var e rest.Event
				text, isData := strings.CutPrefix(event, "data: ")
				if isData && json.Unmarshal([]byte(text), &e) == nil && e.ExecutionID == id && e.BatchStatus == subjects.Completed {
					return true
				}
			}
			return false
		})
	}
	paths = append(paths, "/audit?limit=1000&with=stored")
	for _, path := range paths {
		for _, media := range []string{"application/json", "application/edn"} {
			d.readHidden(t, "GET", path, media, "")
		}
		if strings.HasSuffix(path, "/log") {
			if text := d.readHidden(t, "GET", path, "text/plain", ""); !strings.Contains(text, "it is ***") {
				t.Errorf("%s: %s", path, text)
			}
		}
	}
	checkHidden(t, "an event", events.String())
	d.checkStreamsHide(t, asBus)
	for _, tap := range taps {
		tap.checkHides(t)
	}
	checkHidden(t, "the log of the agent", a1.end(t).err)
	d.endProcess(t)
	log := (<-d.ended).err
	d.ended <- outcome{}
	if !strings.Contains(log, "secrets given to an agent") {
		t.Errorf("the log of the bus has no row of the secret: %s", log)
	}
	checkHidden(t, "the log of the bus", log)
	checkFilesHide(t, data)
}

// runTellingJob runs a job whose steps tell their secret wherever they can, and
// returns its execution.
func (d *devBus) runTellingJob(t *testing.T, job, pool, agent, files string) int64 {
	t.Helper()
	shell := func(id, next, secrets string, lines ...string) map[string]any {
		step := map[string]any{"id": id, "batchlet": map[string]any{"ref": "org.jobstreamer.batch.ShellBatchlet", "properties": map[string]string{
			"secrets": secrets, "command": strings.ReplaceAll(strings.Join(lines, "\n"), "FILES", files),
		}}}
		if next != "" {
			step["next"] = next
		}
		return step
	}
	definition, err := json.Marshal(map[string]any{"id": job, "pool": pool, "steps": []any{
		shell("first", "second", "DB_PASSWORD", `printf %s "$DB_PASSWORD" | sha256sum > FILES.first`, `printf %s "$DB_PASSWORD" > FILES.plain`,
			`echo "it is $DB_PASSWORD"`, `echo "it is $DB_PASSWORD" >&2`,
			`printf '%s\n' "exit_status=$DB_PASSWORD" "value.old=$DB_PASSWORD" >> "$JOBSTREAMER_OUTPUT"`),
		shell("second", "third", "PGPASSWORD=DB_PASSWORD", `printf %s "$PGPASSWORD" | sha256sum > FILES.second`, `echo "again $PGPASSWORD"`),
		shell("third", "", "", `echo "old $JOBSTREAMER_VALUE_OLD, mine ${DB_PASSWORD-none}"`, `echo "file $(cat FILES.plain)"`),
	}})
	failOnError(t, err)
	d.putJob(t, job, string(definition))
	e, err := d.Submit(t.Context(), "default", job, client.Submission{Wait: time.Minute})
	if err != nil || e.BatchStatus != subjects.Completed || e.Agent == nil || e.Agent.Name != agent {
		t.Fatalf("the execution is %+v, %v", e, err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256([]byte(secretValue)))
	for _, step := range []string{"first", "second"} {
		if got, err := os.ReadFile(files + "." + step); err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("the step %s had a value with the hash %s, %v; want %s", step, got, err, want)
		}
	}
	if s := e.StepExecutions[0]; s.ExitStatus == nil || *s.ExitStatus != "***" {
		t.Errorf("the first step is %+v, want the exit status ***", s)
	}
	var log strings.Builder
	failOnError(t, d.Log(t.Context(), "default", job, e.ExecutionID, &log))
	for _, line := range []string{"it is ***\n", "again ***\n", "old ***, mine none\n", "file ***\n"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the log has no line %q: %s", line, &log)
		}
	}
	return e.ExecutionID
}

// checkHidden reports a text that shows the secret, also in Base64.
func checkHidden(t *testing.T, what, text string) {
	t.Helper()
	for shift := range 3 {
		// The first and the last characters depend on what is around the secret.
		coded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secretCore))
		if coded = coded[4 : len(coded)-2]; strings.Contains(text, coded) {
			t.Errorf("%s shows the secret in Base64: %.2000s", what, text)
		}
	}
	if strings.Contains(text, secretCore) {
		t.Errorf("%s shows the secret: %.2000s", what, text)
	}
}

// readHidden sends a request and returns the answer, which must not show the
// secret.
func (d *devBus) readHidden(t *testing.T, method, path, accept, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.rest+path, strings.NewReader(body))
	failOnError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(r)
	failOnError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Errorf("%s %s as %s: %s %s, %v", method, path, accept, res.Status, text, err)
	}
	checkHidden(t, method+" "+path+" as "+accept, fmt.Sprint(res.Header)+string(text))
	return string(text)
}

// tapEvents collects the stream of events.
func (d *devBus) tapEvents(t *testing.T) *lockedBuffer {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", d.rest+"/events", nil)
	failOnError(t, err)
	res, err := http.DefaultClient.Do(r)
	failOnError(t, err)
	var all lockedBuffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(&all, res.Body) //nolint:errcheck // ends with the test
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		_ = res.Body.Close() // it was only read
	})
	return &all
}

// tap gets all messages of an account.
type tap struct {
	account string
	nc      *nats.Conn
	sub     *nats.Subscription
}

func (d *devBus) tapAccount(t *testing.T, account string, as nats.Option) *tap {
	t.Helper()
	nc, err := nats.Connect(d.nats, as, nats.Timeout(time.Minute))
	failOnError(t, err)
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync(">")
	failOnError(t, err)
	failOnError(t, sub.SetPendingLimits(-1, -1))
	failOnError(t, nc.Flush())
	return &tap{account, nc, sub}
}

func (p *tap) checkHides(t *testing.T) {
	t.Helper()
	failOnError(t, p.nc.Flush())
	waiting, _, err := p.sub.Pending()
	if err != nil || waiting == 0 {
		t.Fatalf("account %s: %d messages, %v", p.account, waiting, err)
	}
	for range waiting {
		m, err := p.sub.NextMsg(time.Minute)
		failOnError(t, err)
		checkHidden(t, "a message of the account "+p.account, fmt.Sprint(m.Subject, m.Reply, m.Header)+string(m.Data))
	}
	failOnError(t, p.nc.LastError())
}

// checkStreamsHide reads each message of each stream. Buckets are streams too.
func (d *devBus) checkStreamsHide(t *testing.T, as nats.Option) {
	t.Helper()
	nc, err := nats.Connect(d.nats, as, nats.Timeout(time.Minute))
	failOnError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	failOnError(t, err)
	read := map[string]int{}
	list := js.ListStreams(t.Context())
	for info := range list.Info() {
		s, err := js.Stream(t.Context(), info.Config.Name)
		failOnError(t, err)
		state := s.CachedInfo().State
		for seq := max(state.FirstSeq, 1); seq <= state.LastSeq; seq++ {
			m, err := s.GetMsg(t.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			failOnError(t, err)
			checkHidden(t, "a message of the stream "+info.Config.Name, fmt.Sprint(m.Subject, m.Header)+string(m.Data))
			read[info.Config.Name]++
		}
	}
	failOnError(t, list.Err())
	for _, name := range []string{subjects.ResultsStream, subjects.LogsStream, "KV_" + subjects.SecretsBucket, "KV_" + subjects.ExecutionsBucket, "KV_" + subjects.JobsBucket} {
		if read[name] == 0 {
			t.Errorf("the stream %s has no message: %v", name, read)
		}
	}
}

// checkFilesHide reads the files of a folder.
func checkFilesHide(t *testing.T, dir string) {
	t.Helper()
	failOnError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			checkHidden(t, path, string(data))
		}
		return err
	}))
}
