package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

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
				Services map[string]struct {
					Image   string
					Command []string
					Ports   []string
					Volumes []string
					Build   struct{ Context, Dockerfile string }
				}
				Volumes map[string]any
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
				kinds[s.Command[0]]++
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
