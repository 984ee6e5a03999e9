package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v4"

	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
)

// composeService is the part of a service that the test looks at.
type composeService struct {
	Image      string
	Entrypoint []string
	Command    []string
	Ports      []string
	Volumes    []string
	Build      struct{ Context, Dockerfile string }
}

// Deployment files refer to flags, ports and folders of the program. The test
// parses only this part of them.
func TestComposeFiles(t *testing.T) {
	const top = "../.."
	for _, file := range []string{"docker-compose.yml", "deploy/server/cluster.yml"} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(top, file))
			if err != nil {
				t.Fatal(err)
			}
			var compose struct {
				Services map[string]composeService
				Volumes  map[string]any
			}
			if err := yaml.Unmarshal(text, &compose); err != nil {
				t.Fatal(err)
			}
			kinds := map[string]int{}
			for name, s := range compose.Services {
				for _, port := range s.Ports {
					if !strings.HasPrefix(port, "127.0.0.1:") {
						t.Errorf("%s: port %s is open to the network", name, port)
					}
				}
				for _, v := range s.Volumes {
					source, _, _ := strings.Cut(v, ":")
					_, named := compose.Volumes[source]
					if _, err := os.Stat(filepath.Join(top, filepath.Dir(file), source)); !named && err != nil {
						t.Errorf("%s: volume %s is not there", name, v)
					}
				}
				if s.Image != "jobstreamer" {
					continue
				}
				if _, err := os.Stat(filepath.Join(top, filepath.Dir(file), s.Build.Context, s.Build.Dockerfile)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if len(s.Entrypoint) > 0 {
					runOnceService(t, name, &s)
					continue
				}
				kinds[s.Command[0]]++
				if !slices.Contains(s.Command, "--join-token-file") {
					t.Errorf("%s: no agent can join", name)
				}
				if s.Command[0] == "serve" && !slices.Contains(s.Command, "--login") && !slices.Contains(s.Command, "--insecure") {
					t.Errorf("%s: it does not start: neither --login nor --insecure", name)
				}
				cmd, args, err := newRoot(streams{}, nil).Find(s.Command)
				if err == nil {
					err = cmd.ParseFlags(args)
				}
				if err != nil || cmd.Name() != s.Command[0] {
					t.Errorf("%s: %v: %v", name, s.Command, err)
				}
			}
			if kinds["serve"] == 0 || kinds["agent"] != 2 {
				t.Errorf("%v; want a control bus and two agents", kinds)
			}
		})
	}
}

// runOnceService runs the script of a service twice, with a directory in place
// of each volume, and checks what it makes: secrets that stay.
func runOnceService(t *testing.T, name string, s *composeService) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	self, err := os.Executable()
	failOnError(t, err)
	bin, top := t.TempDir(), t.TempDir()
	wrapper := "#!/bin/sh\n" + asProgram + "=1 exec " + self + " \"$@\"\n"
	failOnError(t, os.WriteFile(filepath.Join(bin, "jobstreamer"), []byte(wrapper), 0o700))
	script := s.Command[len(s.Command)-1]
	for _, v := range s.Volumes {
		source, target, _ := strings.Cut(v, ":")
		failOnError(t, os.Mkdir(filepath.Join(top, source), 0o700))
		for _, end := range []string{"/", " "} {
			script = strings.ReplaceAll(script, " "+target+end, " "+filepath.Join(top, source)+end)
		}
	}
	run := func() {
		t.Helper()
		cmd := exec.Command(s.Entrypoint[0], append(s.Entrypoint[1:], script)...)
		cmd.Env = []string{"PATH=" + bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + top}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %s: %v: %s", name, script, err, out)
		}
	}
	run()
	switch name {
	case "join-token":
		token, err := readJoinToken(filepath.Join(top, "join", "token"))
		failOnError(t, err)
		run()
		if again, err := readJoinToken(filepath.Join(top, "join", "token")); again != token {
			t.Errorf("%s: another token at the second start, %v", name, err)
		}
	case "keys":
		keys, err := accounts.ReadKeys(filepath.Join(top, "keys"))
		failOnError(t, err)
		run()
		if again, err := accounts.ReadKeys(filepath.Join(top, "keys")); err != nil || again.BusAccount() != keys.BusAccount() {
			t.Errorf("%s: other keys at the second start, %v", name, err)
		}
		checkClusterConfig(t, filepath.Join(top, "accounts"), keys)
	default:
		t.Errorf("%s: what does it make?", name)
	}
}

// checkClusterConfig checks that a nats-server accepts nats.conf with the
// accounts that are in a directory.
func checkClusterConfig(t *testing.T, dir string, keys *accounts.Keys) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/server/nats.conf")
	failOnError(t, err)
	etc := t.TempDir()
	failOnError(t, os.WriteFile(filepath.Join(etc, "nats.conf"), text, 0o600))
	failOnError(t, os.Symlink(dir, filepath.Join(etc, "accounts")))
	// The server opens its directory while it reads the file.
	file := filepath.Join(dir, "accounts.conf")
	made, err := os.ReadFile(file)
	failOnError(t, err)
	if !strings.Contains(string(made), `dir: "/data/accounts"`) {
		t.Errorf("the accounts of agents are not in the volume of the server: %s", made)
	}
	failOnError(t, os.WriteFile(file, bytes.ReplaceAll(made, []byte("/data"), []byte(t.TempDir())), 0o600))
	t.Setenv("SERVER_NAME", "n1")
	opts, err := server.ProcessConfigFile(filepath.Join(etc, "nats.conf"))
	if err != nil || opts.SystemAccount != keys.SystemAccount() || len(opts.TrustedOperators) != 1 || opts.ServerName != "n1" {
		t.Errorf("nats.conf: %+v, %v", opts, err)
	}
}
