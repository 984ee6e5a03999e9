package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// someSecrets returns secrets that were obtained.
func someSecrets(t testing.TB, values map[string]string) *agent.Secrets {
	t.Helper()
	s := agent.NewSecrets("shop", func(_ context.Context, names []string) (map[string]string, error) {
		found := map[string]string{}
		for _, name := range names {
			found[name] = values[name]
		}
		return found, nil
	})
	for name := range values {
		if _, err := s.Get(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestRedact(t *testing.T) {
	for _, test := range []struct {
		name    string
		secrets []string
		text    string
		want    string
	}{
		{"none", nil, "geheim", "geheim"},
		{"one, twice", []string{"geheim"}, "a geheim, geheim.", "a ***, ***."},
		{"one that holds another", []string{"geheim", "geheimnis"}, "geheimnis geheim", "*** ***"},
		{"two that overlap", []string{"abcdef", "defghi"}, "xabcdefghiy", "x***y"},
		{"one that overlaps itself", []string{"abab"}, "ababab", "***"},
		{"one behind the other", []string{"geheim"}, "geheimgeheim", "******"},
		{"a short one", []string{"abc"}, "abc", "abc"},
		{"four characters", []string{"äöüß"}, "-äöüß-", "-***-"},
		{"three characters of two bytes", []string{"äöü"}, "äöü", "äöü"},
		{"lines of one", []string{"first line\r\n  ab\nlast line\n"}, "first line\nab\n\tlast line", "***\nab\n\t***"},
		{"all lines of one", []string{"ab\ncd"}, "x ab\ncd y", "x *** y"},
		{"a line feed at its end", []string{"geheim\n"}, "geheim!", "***!"},
	} {
		values := map[string]string{}
		for i, secret := range test.secrets {
			values[fmt.Sprint("S", i)] = secret
		}
		if got := someSecrets(t, values).Redact(test.text); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	var none *agent.Secrets
	if got := none.Redact("geheim"); got != "geheim" {
		t.Errorf("without secrets: %q", got)
	}
	if _, err := none.Get(t.Context(), "A"); err == nil {
		t.Error("a secret of no application was found")
	}
}

// A secret of the agent is redacted, too, beside one of the application.
func TestHide(t *testing.T) {
	s := someSecrets(t, map[string]string{"A": "of-the-application"})
	s.Hide("A", "of-the-agent")
	if got := s.Redact("of-the-application of-the-agent"); got != "*** ***" {
		t.Errorf("redacted as %q", got)
	}
	if values, err := s.Get(t.Context(), "A"); err != nil || values["A"] != "of-the-application" {
		t.Errorf("got %q, %v", values, err)
	}
	if err := s.CheckData(json.RawMessage(`"of-the-agent"`)); err == nil {
		t.Error("data with the secret of the agent is stored")
	}
	var none *agent.Secrets
	none.Hide("A", "of-the-agent")
}

func TestCheckData(t *testing.T) {
	s := someSecrets(t, map[string]string{"A": `long<"secret`, "PIN": "1234567"})
	for _, v := range []any{map[string]string{"x": `a long<"secret.`}, []string{`long<"secret`}} {
		data, _ := json.Marshal(v)
		if err := s.CheckData(data); err == nil || !strings.Contains(err.Error(), "secret A") || strings.Contains(err.Error(), "long<") {
			t.Errorf("CheckData(%s) = %v", data, err)
		}
	}
	if err := s.CheckData(json.RawMessage(`"long<\"secret"`)); err == nil {
		t.Error("JSON with < as it is was accepted")
	}
	// A short secret is in many numbers by accident.
	if err := s.CheckData(json.RawMessage(`{"row":12345678}`)); err != nil {
		t.Error(err)
	}
}

// A secret is found wherever a line is cut, and however it is written.
func TestSecretInLongLines(t *testing.T) {
	const secret = "geheim-und-lang"
	room := agenttest.New(t)
	room.Secrets(map[string]string{"A": secret})
	cuts := []int{8170, 8175, 8180, 8185, 8186, 8190}
	room.Start(agent.Config{Runtime: &testRuntime{run: func(ctx context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		if _, err := w.Secrets.Get(ctx, "A"); err != nil {
			return agent.Failure(err)
		}
		for _, n := range cuts {
			text := strings.Repeat("x", n) + secret + strings.Repeat("y", 9000)
			w.Log.Line(agent.Stdout, "info", "", text)
			out := w.Log.Writer(agent.Stdout, "info", "")
			for i := 0; i < len(text); i += 100 {
				_, _ = out.Write([]byte(text[i:min(i+100, len(text))]))
			}
			_ = out.Close()
		}
		return agent.Outcome{BatchStatus: subjects.Failed, ExitStatus: secret, Exception: strings.Repeat("z", 4090) + secret}
	}}})
	end := room.Run(`{}`)
	lines, _ := room.Lines(end.ID)
	all := strings.ReplaceAll(strings.Join(messagesOf(lines), "|"), "…|…", "")
	if n := strings.Count(all, "x***y"); n != 2*len(cuts) || strings.Contains(all, "geh") || strings.Contains(all, "lang") {
		t.Errorf("*** is there %d times, want %d", n, 2*len(cuts))
	}
	if end.ExitStatus != "***" || strings.Contains(end.Exception, "ge") {
		t.Errorf("the end is %s, %s", end.ExitStatus, end.Exception[4080:])
	}
}

// A step that keeps a secret fails before the secret is stored.
func TestSaveRefusesSecrets(t *testing.T) {
	room := agenttest.New(t)
	room.Secrets(map[string]string{"A": "geheimnis"})
	room.Start(agent.Config{Runtime: &testRuntime{run: func(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
		if _, err := w.Secrets.Get(ctx, "A"); err != nil {
			return agent.Failure(err)
		}
		s := newStep(1, "one", subjects.Started)
		s.ReaderCheckpoint = json.RawMessage(`{"url":"https://x:geheimnis@host"}`)
		if err := r.Save(s); err != nil {
			return agent.Failure(err)
		}
		return completed
	}}})
	if end := room.Run(`{}`); !strings.Contains(end.Exception, "step one: reader checkpoint: it holds the secret A") {
		t.Errorf("the end is %+v", end)
	}
}
