package main

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// A bus with an embedded NATS makes a key, but never a second one for secrets
// that a lost key has encrypted.
func TestSecretKeySettings(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	data := t.TempDir()
	file := filepath.Join(data, secretKeyFile)
	var lines bytes.Buffer
	open := func(s secretKeySettings, data string) *secrets.Keys {
		t.Helper()
		keys, err := s.open(t.Context(), b, data, slog.New(slog.NewTextHandler(&lines, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	if keys := open(secretKeySettings{}, ""); keys != nil {
		t.Error("a bus with an external NATS made a key")
	}
	one := open(secretKeySettings{}, data)
	if again := open(secretKeySettings{}, data); again.ID() != one.ID() {
		t.Errorf("the second start has the key %s, the first had %s", again.ID(), one.ID())
	}
	if given := open(secretKeySettings{file: file}, ""); given.ID() != one.ID() {
		t.Errorf("the file given by a flag has the key %s, want %s", given.ID(), one.ID())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	two := open(secretKeySettings{}, data) // no secret was stored
	if two.ID() == one.ID() {
		t.Error("the lost key is back")
	}
	if _, _, err := secrets.New(secrets.Config{Bus: b, Keys: two}).Set(t.Context(), bus.DefaultApp, "A", "x", ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if lines.Len() > 0 {
		t.Errorf("logged: %s", lines.String())
	}
	if keys := open(secretKeySettings{}, data); keys != nil || !strings.Contains(lines.String(), "restore it from a backup") {
		t.Errorf("a second key was made, or the log does not say what to do: %s", lines.String())
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a second key was written: %v", err)
	}
}

func TestWrongSecretKeyFiles(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	for name, c := range map[string]struct {
		text, want string
		mode       fs.FileMode
		without    bool // the file does not exist
	}{
		"no such file": {want: "no such file", without: true},
		"no keys":      {"", "want keys of 32 random bytes in Base64, one a line, got none", 0o600, false},
		"no key":       {"geheim\n", "line 1: want keys of 32 random bytes", 0o600, false},
		"open to all":  {"geheim\n", "all users of the machine can use", 0o644, false},
	} {
		t.Run(name, func(t *testing.T) {
			if c.mode == 0o644 && runtime.GOOS == "windows" {
				t.Skip("files have no such permissions")
			}
			data := t.TempDir()
			file := filepath.Join(data, secretKeyFile)
			if !c.without {
				if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
					t.Fatal(err)
				}
			}
			log := slog.New(slog.DiscardHandler)
			_, err := (&secretKeySettings{file: file}).open(t.Context(), b, "", log)
			if err == nil || !strings.Contains(err.Error(), "--"+secretsKeyFlag) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("of the flag: %v, want %s", err, c.want)
			}
			if c.without {
				return
			}
			if _, err = (&secretKeySettings{}).open(t.Context(), b, data, log); err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("in the data directory: %v, want %s", err, c.want)
			}
		})
	}
}

// What dev stores is encrypted with the key in its data directory, and is there
// after a restart.
func TestSecretsOfDev(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d := startDev(t, data)
	made, err := d.PutSecret(t.Context(), "default", "DB_PASSWORD", "geheim-4711")
	if err != nil {
		t.Fatal(err)
	}
	d.endProcess(t)
	if info, err := os.Stat(filepath.Join(data, secretKeyFile)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the key: %v, %v", info, err)
	}
	err = filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("geheim-4711")) {
			t.Errorf("%s has the value", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	d = startDev(t, data)
	list, err := d.Secrets(t.Context(), "default", client.Page{})
	if err != nil || len(list.Results) != 1 || list.Results[0] != *made {
		t.Errorf("after the restart: %+v, %v, want %+v", list.Results, err, made)
	}
	if again, err := d.PutSecret(t.Context(), "default", "DB_PASSWORD", "another"); err != nil || again.KeyID != made.KeyID {
		t.Errorf("set again: %+v, %v", again, err)
	}
}
