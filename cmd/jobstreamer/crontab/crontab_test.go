package crontab

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

var update = flag.Bool("update", false, "write the golden files")

// show describes lines for golden files.
func show(all []Line) string {
	var b strings.Builder
	for i := range all {
		l := &all[i]
		fmt.Fprintf(&b, "%d: %s\n", l.Number, l.Text)
		if l.Err != nil {
			fmt.Fprintf(&b, "   refused: %v\n", l.Err)
			continue
		}
		fmt.Fprintf(&b, "   %s %q\n   job %s\n   runs %s\n", l.TimeZone, l.Crons, l.JobName(), strings.ReplaceAll(l.ShellCommand(), "\n", "\\n"))
		for what, v := range map[string]string{"user": l.User, "home": l.Home} {
			if v != "" {
				fmt.Fprintf(&b, "   %s %s\n", what, v)
			}
		}
		if len(l.Env) > 0 {
			fmt.Fprintf(&b, "   env %q\n", l.Env)
		}
		if len(l.MailTo) > 0 {
			fmt.Fprintf(&b, "   mail to %q\n", l.MailTo)
		}
	}
	return b.String()
}

func TestCrontabs(t *testing.T) {
	for name, opts := range map[string]Options{"system": {System: true}, "user": {}} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, golden := show(Parse(string(text), opts)), "testdata/"+name+".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s%v", name, got, want, err)
		}
	}
}

func TestEitherDay(t *testing.T) {
	for text, want := range map[string]string{
		"0 0 13 * 5 x":      `["0 0 0 13 * ?" "0 0 0 ? * FRI"]`,
		"0 0 1-31 * 5 x":    `["0 0 0 * * ?"]`,
		"0 0 13 * 0-7 x":    `["0 0 0 * * ?"]`,
		"0 0 */1 * 5 x":     `["0 0 0 ? * FRI"]`,
		"0 0 13 * * x":      `["0 0 0 13 * ?"]`,
		"0 9-17/2 * * 1 x":  `["0 0 9,11,13,15,17 ? * MON"]`,
		"0 */2 * * sun x":   `["0 0 */2 ? * SUN"]`,
		"*/5,7 * * * 5-7 x": `["0 0,5,7,10,15,20,25,30,35,40,45,50,55 * ? * SUN,FRI,SAT"]`,
	} {
		all := Parse(text, Options{EitherDay: true})
		if len(all) != 1 || all[0].Err != nil || fmt.Sprintf("%q", all[0].Crons) != want {
			t.Errorf("%s: %+v, want %s", text, all, want)
		}
	}
}

// Environment lines hold for the lines that follow, not for those before.
func TestEnvironment(t *testing.T) {
	all := Parse("A=1\n* * * * * x\nA=2\nB='two words '\n* * * * * y\n\"C D\"=x\nMAILTO=a@b\nMAILTO=\"\"\n* * * * * z", Options{})
	if got := fmt.Sprintf("%q %q", all[0].Env, all[1].Env); got != `[{"A" "1"}] [{"A" "2"} {"B" "two words "}]` {
		t.Errorf("environment %s", got)
	}
	if len(all) != 4 || all[2].Err == nil || len(all[3].MailTo) != 0 {
		t.Errorf("%+v", all)
	}
}

// The name of a job follows from user and command alone.
func TestJobName(t *testing.T) {
	a := Parse("0 1 * * * root /usr/bin/backup --all /srv\nX=1\n0 2 * * * root /usr/bin/backup --all /srv\n0 2 * * * ann /usr/bin/backup --all /srv\n@daily root '\n@daily root 7zip", Options{System: true})
	if a[0].JobName() != a[1].JobName() || a[0].JobName() == a[2].JobName() || !strings.HasPrefix(a[0].JobName(), "backup-all-srv-") {
		t.Errorf("names %s, %s, %s", a[0].JobName(), a[1].JobName(), a[2].JobName())
	}
	if a[0].SameRun(&a[1]) {
		t.Error("lines with different environments count as the same")
	}
	for _, l := range a[3:] {
		if !strings.HasPrefix(l.JobName(), "cron-") {
			t.Errorf("name %s", l.JobName())
		}
	}
}

// What ShellCommand returns does in a real shell what cron does.
func TestShellCommand(t *testing.T) {
	for text, want := range map[string]string{
		`* * * * * echo "it's $HOME"`:                          "it's /h\n",
		"* * * * * cat%a%b 'c'%100\\% # no":                    "a\nb 'c'\n100% # no\n",
		"* * * * * exit 3":                                     "status 3",
		"* * * * * cat; exit 4%x":                              "x\nstatus 4",
		"SHELL=/bin/bash\n* * * * * a=(1 2); echo ${a[1]} \\%": "2 %\n",
		"* * * * * cat %":                                      "", "* * * * * cat %a%": "a\n",
	} {
		all := Parse(text, Options{})
		if len(all) != 1 || all[0].Err != nil {
			t.Fatalf("%q: %+v", text, all)
		}
		cmd := exec.Command("/bin/sh", "-c", all[0].ShellCommand())
		cmd.Env = []string{"HOME=/h", "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		got := string(out)
		if err != nil {
			got += "status " + strconv.Itoa(cmd.ProcessState.ExitCode())
		}
		if got != want {
			t.Errorf("%q printed %q, want %q", text, got, want)
		}
	}
}

// Random lines fire at the times that crontab(5) says, minute by minute.
func TestTimes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	imported := 0
	for range 60 {
		text := make([]string, 5)
		for i, k := range kinds {
			text[i] = randomField(r, k)
		}
		crons, err := quartzOf(text, true)
		if err != nil {
			continue
		}
		imported++
		from := time.Date(2024, time.Month(1+r.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
		fires := map[time.Time]bool{}
		for _, expr := range crons {
			s, err := cron.Parse(expr)
			if err != nil {
				t.Fatal(err)
			}
			for at := range s.Between(from, from.AddDate(0, 1, 0)) {
				fires[at.UTC()] = true
			}
		}
		for at := from.Add(time.Minute); at.Before(from.AddDate(0, 1, 0)); at = at.Add(time.Minute) {
			if want := runsAt(text, at); fires[at] != want {
				t.Fatalf("%s at %s: fires %v, want %v (%s)", strings.Join(text, " "), at, fires[at], want, crons)
			}
		}
	}
	if imported < 10 {
		t.Errorf("only %d lines were imported", imported)
	}
}

func randomField(r *rand.Rand, k kind) string {
	value := func() int { return k.min + r.IntN(k.max-k.min+1) }
	switch r.IntN(6) {
	case 0, 1:
		return "*"
	case 2:
		return "*/" + strconv.Itoa(1+r.IntN(k.max))
	case 3:
		a, b := value(), value()
		return fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), 1+r.IntN(5))
	}
	var all []string
	for range 1 + r.IntN(3) {
		all = append(all, strconv.Itoa(value()))
	}
	return strings.Join(all, ",")
}

// runsAt reports whether cron runs a line at a time, by the words of crontab(5).
func runsAt(text []string, at time.Time) bool {
	matches := func(i, v int) bool {
		return slices.ContainsFunc(strings.Split(text[i], ","), func(item string) bool {
			span, stepText, _ := strings.Cut(item, "/")
			low, high := kinds[i].min, kinds[i].max
			if span != "*" {
				a, b, ranged := strings.Cut(span, "-")
				low, _ = strconv.Atoi(a)
				if high = low; ranged {
					high, _ = strconv.Atoi(b)
				}
			}
			step, _ := strconv.Atoi(stepText)
			return v >= low && v <= high && (v-low)%max(step, 1) == 0
		})
	}
	day, weekday := matches(2, at.Day()), matches(4, int(at.Weekday())) || at.Weekday() == 0 && text[4] != "*" && !strings.HasPrefix(text[4], "*/") && matches(4, 7)
	onDay := day || weekday
	if text[2][0] == '*' || text[4][0] == '*' {
		onDay = day && weekday
	}
	return matches(0, at.Minute()) && matches(1, at.Hour()) && matches(3, int(at.Month())) && onDay
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"system", "user"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), name == "system")
	}
	f.Fuzz(func(t *testing.T, text string, system bool) {
		for _, l := range Parse(text, Options{System: system, EitherDay: true}) {
			if l.Err != nil {
				continue
			}
			if len(l.Crons) == 0 || l.Command == "" || l.JobName() == "" {
				t.Errorf("%+v", l)
			}
			for _, expr := range l.Crons {
				if _, err := cron.Parse(expr); err != nil {
					t.Errorf("%q: %v", l.Text, err)
				}
			}
		}
	})
}
