//go:build unix

package native_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const certificate = "-----BEGIN KEY-----\n  MIIEvQIBADAN\nab\n-----END KEY-----\n"

func secretJob(secrets, command string, more ...string) string {
	properties := fmt.Sprintf(`"secrets":%q,"command":%q%s`, secrets, command, strings.Join(more, ""))
	return `{"id":"job","steps":[{"id":"a","batchlet":{"ref":"` + native.Shell + `","properties":{` + properties + `}}}]}`
}

// A process has its secrets, and nothing that the agent publishes has them.
func TestSecretsOfAProcess(t *testing.T) {
	room := agenttest.New(t)
	secrets := room.Secrets(map[string]string{"DB_PASSWORD": "geheim", "KEY": certificate, "PIN": "123"})
	sub, err := room.Conn.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	startAgent(t, room)
	hash := filepath.Join(t.TempDir(), "hash")
	q := room.Request(secretJob("DB_PASSWORD, PGPASSWORD = DB_PASSWORD,KEY,PIN", `printf %s "$DB_PASSWORD$PGPASSWORD" | sha256sum > `+hash+`
echo "it is $DB_PASSWORD."
printf gehe; printf 'im\n'; echo "$KEY"; echo "pin $PIN"
awk 'BEGIN { while (i++ < 8185) printf "x" }'; echo "$DB_PASSWORD"
echo "value.old=$PGPASSWORD" >> "$JOBSTREAMER_OUTPUT"
echo "exit_status=with $DB_PASSWORD" >> "$JOBSTREAMER_OUTPUT"`))
	end := room.AwaitEnd(room.Submit(q))
	if states := stepStates(room.Results(end.ID)); states != "a=completed(with ***)" {
		t.Errorf("the step is %s: %s", states, end.Exception)
	}
	want := fmt.Sprintf("%x", sha256.Sum256([]byte("geheimgeheim")))
	if got, err := os.ReadFile(hash); err != nil || !strings.HasPrefix(string(got), want) {
		t.Errorf("the process had the hash %s, %v, want %s", got, err, want)
	}
	lines, _ := room.Lines(end.ID)
	text := outputText(lines, agent.Stdout)
	for _, part := range []string{"it is ***.", "***\n***\n  ***\nab\n***\n", "pin 123", "x***"} {
		if !strings.Contains(strings.ReplaceAll(text, " | ", "\n")+"\n", part) && !strings.Contains(text, part) {
			t.Errorf("the output is %.300q, want %q in it", text, part)
		}
	}
	if values := lastState(room.Results(end.ID), "a").Values; values["old"] != "***" {
		t.Errorf("the values are %v", values)
	}
	if n := len(secrets.Requests()); n != 1 {
		t.Errorf("the agent sent %d requests, want 1", n)
	}
	for {
		m, err := sub.NextMsg(100 * time.Millisecond)
		if err != nil {
			break
		}
		for _, secret := range []string{"geheim", "MIIEvQIBADAN", "BEGIN KEY"} {
			if strings.Contains(string(m.Data), secret) {
				t.Errorf("%s: %.200s holds %s", m.Subject, m.Data, secret)
			}
		}
	}
}

func TestSecretFailures(t *testing.T) {
	for _, test := range []struct {
		name, job, err string
	}{
		{"an unknown secret", secretJob("NONE", "true"), "the application app has no secret NONE: jobstreamer secret set NONE --app app"},
		{"two of them", secretJob("NONE,DB_PASSWORD,OTHER", "true"), "the application app has no secrets NONE, OTHER: jobstreamer secret set NONE --app app, and so on"},
		{"persistent data", secretJob("DB_PASSWORD", `echo "persistent_data=$DB_PASSWORD" > "$JOBSTREAMER_OUTPUT"`), "persistent_data: it holds the secret DB_PASSWORD"},
		{"a parameter", secretJob("#{jobParameters['which']}", "true"), "only the author of a job chooses secrets"},
		{"a reserved variable", secretJob("JOBSTREAMER_APP=DB_PASSWORD", "true"), "want a variable that does not begin with JOBSTREAMER_"},
		{"a bad name", secretJob("DB-PASSWORD", "true"), "want names of secrets or VARIABLE=NAME"},
		{"a variable twice", secretJob("A=DB_PASSWORD,A=OTHER", "true"), "want each variable once"},
		{"a variable of the step too", secretJob("A=DB_PASSWORD", "true", `,"env.A":"x"`), "want a variable that the step does not set by env.A"},
	} {
		t.Run(test.name, func(t *testing.T) {
			room := agenttest.New(t)
			room.Secrets(map[string]string{"DB_PASSWORD": "geheimnis"})
			startAgent(t, room)
			q := room.Request(test.job)
			q.Execution.Parameters = map[string]string{"which": "DB_PASSWORD"}
			end := room.AwaitEnd(room.Submit(q))
			if end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, test.err) || strings.Contains(end.Exception, "geheimnis") {
				t.Errorf("the job is %s: %s; want %q", end.BatchStatus, end.Exception, test.err)
			}
		})
	}
}

// secretReader is a batchlet that asks for a secret, and returns it.
func secretReader(ctx context.Context, s *agent.StepContext) (string, error) {
	secret, err := s.Secret(ctx, "DB_PASSWORD")
	if err != nil {
		return "", err
	}
	s.Log.Info("it is "+secret, "again", `"`+secret+`"`) //nolint:sloglint // a secret in it is the case
	return secret, s.SetValue("x", secret)
}

func TestSecretsOfABatchlet(t *testing.T) {
	const job = `{"id":"job","steps":[{"id":"a","batchlet":{"ref":"secret"}}]}`
	start := func(t *testing.T) *agenttest.Room {
		t.Helper()
		room := agenttest.New(t)
		room.Start(agent.Config{Grace: time.Second, Runtime: native.New(native.Config{})}, agent.Batchlet("secret", secretReader))
		return room
	}
	t.Run("the bus has not seen the claim yet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			room := start(t)
			secrets := room.Secrets(map[string]string{"DB_PASSWORD": `ge"heim`})
			secrets.FailNext(3, subjects.SecretError{Code: subjects.SecretsNotYet, Message: "not yet"})
			end := room.Run(job)
			lines, _ := room.Lines(end.ID)
			if got := outputText(lines, agent.Stdout); end.BatchStatus != subjects.Completed || strings.Contains(got, "heim") || !strings.Contains(got, "it is ***") {
				t.Errorf("the job is %s %s, its output %q", end.BatchStatus, end.Exception, got)
			}
			if s := lastState(room.Results(end.ID), "a"); s.ExitStatus != "***" || s.Values["x"] != "***" {
				t.Errorf("the step is %+v", s)
			}
			if n := len(secrets.Requests()); n != 4 {
				t.Errorf("%d requests, want 4", n)
			}
		})
	})
	t.Run("no bus answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			room := start(t)
			end := room.Run(job)
			lines, _ := room.Lines(end.ID)
			if got := outputText(lines, agent.Own); strings.Count(got, "waiting for at most 1m0s: no control bus that knows secrets is running") != 1 {
				t.Errorf("the output does not say once why the step waits: %q", got)
			}
			if want := "no control bus gave them within 1m0s"; end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, want) {
				t.Errorf("the job is %s: %s, want %s", end.BatchStatus, end.Exception, want)
			}
		})
	})
	t.Run("the bus refuses", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			room := start(t)
			room.Secrets(nil).FailNext(1, subjects.SecretError{Code: subjects.SecretsRefused, Message: "not yours"})
			if end := room.Run(job); end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, "the control bus refused them: not yours") {
				t.Errorf("the job is %s: %s", end.BatchStatus, end.Exception)
			}
		})
	})
	t.Run("the batchlet ignores that its data is refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			room := agenttest.New(t)
			room.Secrets(map[string]string{"DB_PASSWORD": "geheimnis"})
			room.Start(agent.Config{Grace: time.Second, Runtime: native.New(native.Config{})},
				agent.Batchlet("secret", func(ctx context.Context, s *agent.StepContext) (string, error) {
					secret, err := s.Secret(ctx, "DB_PASSWORD")
					_ = s.Save(secret)
					return "FINE", err
				}))
			end := room.Run(job)
			if want := "step a: persistent data: it holds the secret DB_PASSWORD"; end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, want) {
				t.Errorf("the job is %s: %s, want %s", end.BatchStatus, end.Exception, want)
			}
			if s := lastState(room.Results(end.ID), "a"); s.ExitStatus != "FAILED" || s.PersistentData != nil {
				t.Errorf("the step is %+v", s)
			}
		})
	})
	t.Run("a stop ends the wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			room := start(t)
			id := room.Submit(room.Request(job))
			room.AwaitResult(id, func(r subjects.Result) bool { return r.BatchStatus == subjects.Started })
			time.Sleep(5 * time.Second)
			begin := time.Now()
			room.Command("a1", subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
			if end := room.AwaitEnd(id); end.BatchStatus != subjects.Stopped || time.Since(begin) > 5*time.Second {
				t.Errorf("the job is %s after %v: %s", end.BatchStatus, time.Since(begin), end.Exception)
			}
		})
	})
}

// jsl imports no other room, and so has the rule about names again.
func TestSecretNamesAgree(t *testing.T) {
	for _, name := range []string{"A", "_a9", "9A", "A-B", "", "Ä", strings.Repeat("x", 128), strings.Repeat("x", 129)} {
		all, err := jsl.ParseSecrets(name)
		if got := err == nil && len(all) == 1; got != subjects.ValidSecretName(name) {
			t.Errorf("%.20q: jsl accepts it: %v", name, got)
		}
	}
}
