package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// fakeMailer is a sender of mail for addresses at example.com.
type fakeMailer struct{}

func (fakeMailer) Target() (kind, host string)                  { return "mail", "mail.example.com" }
func (fakeMailer) Send(context.Context, *senders.Message) error { return nil }

func (fakeMailer) Accepts(recipient string) error {
	if !strings.HasSuffix(recipient, "@example.com") {
		return errors.New("not allowed")
	}
	return nil
}

// importEnv runs imports and reads what they have made.
type importEnv struct {
	*testing.T
	*env
}

func newImportEnv(t *testing.T, set senders.Set) importEnv {
	late := &lateNotifier{}
	e, b := withBus(t, func(cfg *httpapi.Config) { cfg.Notifier = late })
	n, err := notify.New(notify.Config{Bus: b, Senders: set})
	if err != nil {
		t.Fatal(err)
	}
	late.Notifier = n
	e.vars["TZ"] = "Europe/Berlin"
	return importEnv{t, e}
}

// importText imports a text, and compares what is printed.
func (e importEnv) importText(text, want string, flags ...string) {
	e.Helper()
	e.in = text
	got := e.runOnce(e.Context(), append([]string{"import", "crontab", "-"}, flags...)...)
	out := strings.ReplaceAll(got.out, "    warning: component org.jobstreamer.batch.ShellBatchlet is not in the class path\n", "")
	var kept []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, jsl.ShellBatchlet) {
			kept = append(kept, line)
		}
	}
	if out := strings.Join(kept, ""); out != want || (got.failed != nil) != strings.Contains(want, "refused") {
		e.Errorf("import %v of %q: error %v, printed\n%s%s\nwant\n%s", flags, text, got.failed, out, got.err, want)
	}
}

// file returns a member of the file of a job.
func (e importEnv) file(job, member string) string {
	e.Helper()
	got := e.runOnce(e.Context(), "job", "export", job, "--format", "json")
	if got.failed != nil {
		e.Fatalf("%+v", got)
	}
	var v map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got.out), &v); err != nil {
		e.Fatal(err)
	}
	flat := strings.Join(strings.Fields(string(v[member])), " ")
	return strings.NewReplacer("{ ", "{", " }", "}", "[ ", "[", " ]", "]").Replace(flat)
}

func (e importEnv) wantFile(job, member, want string) {
	e.Helper()
	if got := e.file(job, member); got != want {
		e.Errorf("%s of %s: %s\nwant %s", member, job, got, want)
	}
}

func TestImportCrontab(t *testing.T) {
	t.Run("an import can be repeated", func(t *testing.T) {
		e := newImportEnv(t, nil)
		text := "PATH=/bin\nSHELL=/bin/bash\nHOME=/srv\n0 2 * * mon-fri backup /srv\n@reboot x\n"
		e.importText(text, "line 4: would be created: backup-srv-52c1ca at 0 0 2 ? * MON-FRI Europe/Berlin\n"+
			"line 5: refused: @reboot: a job has no machine whose start it could follow; start it by a unit of systemd that calls jobstreamer run\n    @reboot x\n"+
			"2 lines: 1 would be created, 1 refused.\n", "--dry-run")
		text = strings.Replace(text, "@reboot x\n", "", 1)
		e.importText(text, "line 4: created: backup-srv-52c1ca at 0 0 2 ? * MON-FRI Europe/Berlin\n1 line: 1 created.\n")
		e.importText(text, "line 4: unchanged: backup-srv-52c1ca\n1 line: 1 unchanged.\n")
		e.wantFile("backup-srv-52c1ca", "properties", `{"crontab": "0 2 * * mon-fri backup /srv"}`)
		e.wantFile("backup-srv-52c1ca", "steps", `[{"id": "run", "batchlet": {"ref": "org.jobstreamer.batch.ShellBatchlet", "properties": {"command": "exec /bin/bash -c 'backup /srv'", "dir": "/srv", "env.HOME": "/srv", "env.PATH": "/bin"}}}]`)
		if got := e.runOnce(t.Context(), "schedule", "pause", "backup-srv-52c1ca"); got.failed != nil {
			t.Fatalf("%+v", got)
		}
		e.importText(strings.Replace(text, "0 2 *", "0 3 *", 1), "line 4: changed: backup-srv-52c1ca at 0 0 3 ? * MON-FRI UTC\n1 line: 1 changed.\n", "--time-zone", "UTC")
		e.wantFile("backup-srv-52c1ca", "schedule", `{"cron_notation": "0 0 3 ? * MON-FRI", "time_zone": "UTC", "active": false}`)
	})
	t.Run("lines that differ in their times are one job", func(t *testing.T) {
		e := newImportEnv(t, nil)
		text := "CRON_TZ=Asia/Tokyo\n0 1 * * * x\n0 2 * * * x\nA=1\n0 3 * * * x\n"
		e.importText(text, "line 2: created: cron-3c7e9b at 0 0 1 * * ? Asia/Tokyo\nline 3: created: cron-3c7e9b at 0 0 2 * * ? Asia/Tokyo\n"+
			"line 5: created: cron-3c7e9b-47ba at 0 0 3 * * ? Asia/Tokyo\n3 lines: 3 created.\n")
		e.wantFile("cron-3c7e9b", "schedules", `{"cron-682fe1ef": {"cron_notation": "0 0 2 * * ?", "time_zone": "Asia/Tokyo", "active": true}}`)
		e.importText(strings.Replace(text, "0 2 * * * x\n", "", 1), "line 2: changed: cron-3c7e9b at 0 0 1 * * ? Asia/Tokyo\n"+
			"line 4: unchanged: cron-3c7e9b-47ba\n2 lines: 1 changed, 1 unchanged.\n")
		if got := e.file("cron-3c7e9b", "schedules"); got != "" && got != "{}" && got != "null" {
			t.Errorf("a schedule whose line was removed stays: %s", got)
		}
	})
	t.Run("MAILTO is a notification of failures", func(t *testing.T) {
		e := newImportEnv(t, senders.Set{"post": fakeMailer{}, "ops": fakeSender{}})
		e.importText("MAILTO=ann@example.com\n@daily a\nMAILTO=root\n@daily b\nMAILTO=bob@else.example\n@daily c\nMAILTO=\n@daily d\n",
			"line 2: created: a-022a69 at 0 0 0 * * ? Europe/Berlin\nline 4: created: b-57eb35 at 0 0 0 * * ? Europe/Berlin\n"+
				"    warning: MAILTO: root is no mail address with a domain; nobody gets a mail\n"+
				"line 6: created: cron-597fcb at 0 0 0 * * ? Europe/Berlin\n    warning: MAILTO: the notification \"post:bob@else.example\" cannot be sent: not allowed\n"+
				"line 8: created: cron-d070dc at 0 0 0 * * ? Europe/Berlin\n4 lines: 4 created.\n")
		e.wantFile("a-022a69", "status_notifications", `[{"batch_status": "failed", "type": "post:ann@example.com"}]`)
		e.wantFile("cron-597fcb", "status_notifications", `[]`)
		if got := e.runOnce(t.Context(), "import", "crontab", "-", "--mail-sender", "ops"); got.failed == nil || !strings.Contains(got.failed.Error(), "no such sender of mail") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("MAILTO without a sender is reported", func(t *testing.T) {
		e := newImportEnv(t, nil)
		e.importText("MAILTO=ann@example.com\n@daily a\n", "line 2: created: a-022a69 at 0 0 0 * * ? Europe/Berlin\n"+
			"    warning: MAILTO: the control bus has no sender of mail (--senders), so ann@example.com gets no mail\n1 line: 1 created.\n")
	})
	t.Run("users of a system crontab have pools", func(t *testing.T) {
		e := newImportEnv(t, nil)
		e.importText("@daily root a\n@daily www-data a\n", "line 1: created: a-e7e36c at 0 0 0 * * ? Europe/Berlin\nline 2: created: a-9a5cca at 0 0 0 * * ? Europe/Berlin\n"+
			"    warning: it runs as the user account of the agent, not as www-data: --user-pool www-data=POOL names the agents that run as that user\n2 lines: 2 created.\n",
			"--system", "--user-pool", "root=admin")
		e.wantFile("a-e7e36c", "pool", `"admin"`)
	})
	t.Run("either of two days needs consent", func(t *testing.T) {
		e := newImportEnv(t, nil)
		e.importText("0 0 13 * 5 a\n", "line 1: created: a-022a69 at 0 0 0 13 * ? and 0 0 0 ? * FRI Europe/Berlin\n1 line: 1 created.\n", "--either-day")
	})
	t.Run("other outputs list the lines", func(t *testing.T) {
		e := newImportEnv(t, nil)
		e.in = "@daily a\n60 * * * * b\n"
		got := e.runOnce(t.Context(), "import", "crontab", "-", "-o", "json")
		var lines []importedLine
		if err := json.Unmarshal([]byte(got.out), &lines); err != nil || len(lines) != 2 || lines[0].Result != created || lines[1].Result != refused || !errors.Is(got.failed, ErrPrinted) {
			t.Errorf("%+v, %v, %v", got, lines, err)
		}
	})
	t.Run("mistakes are usage errors", func(t *testing.T) {
		e := newImportEnv(t, nil)
		empty := filepath.Join(t.TempDir(), "empty")
		if err := os.WriteFile(empty, []byte("# nothing\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for args, want := range map[string]string{
			"/etc/crontab": "add --system", "- --time-zone Mars": "--time-zone Mars: want a name", "- --user-pool root=x": "requires --system",
			"- --system --user-pool root": "want USER=POOL", "/does/not/exist": "no such file", empty: "",
		} {
			got := e.runOnce(t.Context(), append([]string{"import", "crontab"}, strings.Fields(args)...)...)
			if want == "" && (got.failed != nil || got.out != "No line runs a command.\n") || want != "" && (got.failed == nil || !strings.Contains(got.failed.Error(), want)) {
				t.Errorf("%s: %+v", args, got)
			}
		}
	})
}
