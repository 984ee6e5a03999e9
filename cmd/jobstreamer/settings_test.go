package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// Each row sets the same flag in several places. Flag, environment and file
// have precedence in this order.
func TestPrecedence(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		file string
		slot int
		apps []string
		beat time.Duration
	}{
		"nothing is said":              {slot: 1, apps: []string{"default"}, beat: 2 * time.Second},
		"the file speaks":              {file: "slots: 3\napps: [a, b]\nheartbeat: 5s", slot: 3, apps: []string{"a", "b"}, beat: 5 * time.Second},
		"a list may be one text":       {file: "apps: a,b", slot: 1, apps: []string{"a", "b"}, beat: 2 * time.Second},
		"environment over file":        {file: "slots: 3\nheartbeat: 5s", env: map[string]string{"JOBSTREAMER_SLOTS": "4", "JOBSTREAMER_APPS": "x,y"}, slot: 4, apps: []string{"x", "y"}, beat: 5 * time.Second},
		"flag over environment":        {args: []string{"--slots", "5"}, env: map[string]string{"JOBSTREAMER_SLOTS": "4"}, slot: 5, apps: []string{"default"}, beat: 2 * time.Second},
		"flag over file":               {args: []string{"--apps", "z", "--slots=1"}, file: "apps: [a]\nslots: 3", slot: 1, apps: []string{"z"}, beat: 2 * time.Second},
		"an empty variable says none":  {env: map[string]string{"JOBSTREAMER_SLOTS": ""}, file: "slots: 3", slot: 3, apps: []string{"default"}, beat: 2 * time.Second},
		"other variables are not ours": {env: map[string]string{"JOBSTREAMER_EXECUTION_ID": "7", "SLOTS": "9"}, slot: 1, apps: []string{"default"}, beat: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			flags := pflag.NewFlagSet("agent", pflag.ContinueOnError)
			slots := flags.Int("slots", 1, "")
			apps := flags.StringSlice("apps", []string{"default"}, "")
			beat := flags.Duration("heartbeat", 2*time.Second, "")
			flags.String(configFlag, "", "")
			if c.file != "" {
				file := filepath.Join(t.TempDir(), "agent.yaml")
				if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
				if c.env == nil {
					c.env = map[string]string{}
				}
				c.env["JOBSTREAMER_CONFIG"] = file
			}
			if err := flags.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			if err := applySettings(flags, c.env); err != nil {
				t.Fatal(err)
			}
			if *slots != c.slot || !slices.Equal(*apps, c.apps) || *beat != c.beat {
				t.Errorf("slots %d, apps %v, heartbeat %v; want %d, %v, %v", *slots, *apps, *beat, c.slot, c.apps, c.beat)
			}
		})
	}
}

// The variables that an agent sets for a step are not filters of a command that
// the step's script runs.
func TestVariablesOfStepsAreNoFlags(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	app, job, step := flags.String("app", "", ""), flags.String("job", "", ""), flags.StringSlice("step", nil, "")
	err := applySettings(flags, environmentMap([]string{"JOBSTREAMER_APP=shop", "JOBSTREAMER_JOB=nightly", "JOBSTREAMER_STEP=load", "JOBSTREAMER_ATTEMPT=1"}))
	if err != nil || *app != "shop" || *job != "" || len(*step) > 0 {
		t.Errorf("--app %s --job %s --step %s, %v; want the application only", *app, *job, *step, err)
	}
}
