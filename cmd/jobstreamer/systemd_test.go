package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The units start commands with flags that exist, and an agent has the time to
// drain.
func TestSystemdUnits(t *testing.T) {
	for unit, command := range map[string]string{"jobstreamer.service": "serve", "jobstreamer-agent.service": "agent"} {
		t.Run(unit, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("../../deploy/server", unit))
			if err != nil {
				t.Fatal(err)
			}
			settings := map[string][]string{}
			for line := range strings.SplitSeq(string(text), "\n") {
				if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
					settings[key] = append(settings[key], value)
				}
			}
			words := strings.Fields(settings["ExecStart"][0])
			program, args := words[0], words[1:]
			if program != "/usr/bin/jobstreamer" || args[0] != command {
				t.Fatalf("it starts %v, want jobstreamer %s", words, command)
			}
			cmd, flags, err := newRoot(streams{}, nil).Find(args)
			if err == nil {
				err = cmd.ParseFlags(flags)
			}
			if err != nil {
				t.Fatalf("%v: %v", args, err)
			}
			for _, c := range settings["LoadCredential"] {
				if name, _, _ := strings.Cut(c, ":"); !strings.Contains(settings["ExecStart"][0], "%d/"+name) {
					t.Errorf("the credential %s is loaded, but not used", name)
				}
			}
			stop, err := time.ParseDuration(strings.ReplaceAll(settings["TimeoutStopSec"][0], "min", "m"))
			if err != nil {
				t.Fatal(err)
			}
			need := shutdownNeed(t, cmd.Flags().GetDuration)
			if stop <= need || settings["KillMode"][0] != "mixed" {
				t.Errorf("SIGKILL after %v by KillMode %s; want more than %v, and mixed", stop, settings["KillMode"], need)
			}
			verifyUnit(t, unit, strings.Replace(string(text), program, executable(t), 1))
		})
	}
}

// shutdownNeed returns how long an agent with these flags may take to end, or
// a control bus.
func shutdownNeed(t *testing.T, flag func(string) (time.Duration, error)) time.Duration {
	t.Helper()
	drain, err := flag("drain")
	if err != nil { // a control bus
		return 30 * time.Second
	}
	grace, err := flag("grace")
	if err != nil {
		t.Fatal(err)
	}
	return drain + grace
}

// verifyUnit lets systemd check the unit, where it is installed.
func verifyUnit(t *testing.T, name, text string) {
	t.Helper()
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("not verified: no systemd-analyze")
		return
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(verify, "verify", file).CombinedOutput(); err != nil || strings.Contains(string(out), name) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
