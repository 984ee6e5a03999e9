package secrets_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
)

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }

// hidden is a value that may be found nowhere but in an answer to its agent.
const hidden = "Geheim-4711"

// newKeyLine returns a key as a line of a file.
func newKeyLine() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.StdEncoding.EncodeToString(raw) + "\n"
}

// keysOf returns the keys of a file with this content.
func keysOf(t *testing.T, text string) *secrets.Keys {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret.keys")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := secrets.ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newSecrets(b *bus.Bus, keys *secrets.Keys) *secrets.Secrets {
	return secrets.New(secrets.Config{Bus: b, Keys: keys})
}

// set sets a secret of the default application.
func set(t *testing.T, s *secrets.Secrets, name, value string) {
	t.Helper()
	if _, _, err := s.Set(t.Context(), bus.DefaultApp, name, value, "ann"); err != nil {
		t.Fatal(err)
	}
}

// wantCode ends the test if err is no StateError with the code, or shows the
// value of a secret.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if !bus.HasCode(err, code) || strings.Contains(err.Error(), hidden) {
		t.Fatalf("got %v, want the code %s", err, code)
	}
}

func TestKeysInAFile(t *testing.T) {
	one, two := newKeyLine(), newKeyLine()
	dir := t.TempDir()
	if k := keysOf(t, "# the present key\n"+one+"\n  "+two); k.ID() != keysOf(t, one).ID() || k.ID() == keysOf(t, two).ID() {
		t.Error("the first key does not encrypt")
	}
	for name, text := range map[string]string{
		"an empty file":       "",
		"only a comment":      "# none\n",
		"no Base64":           "secret!\n",
		"a short key":         base64.StdEncoding.EncodeToString(make([]byte, 16)),
		"a long key":          base64.StdEncoding.EncodeToString(make([]byte, 33)),
		"two keys on a line":  strings.TrimSpace(one) + " " + two,
		"the same key twice":  one + one,
		"a bad line after it": one + "x",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "keys")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := secrets.ReadKeys(file)
			if err == nil || !strings.Contains(err.Error(), file) {
				t.Fatalf("got %v, want an error that names the file", err)
			}
			for _, line := range strings.Fields(text) {
				if len(line) > 4 && line[0] != '#' && strings.Contains(err.Error(), line) {
					t.Errorf("the error quotes the key: %v", err)
				}
			}
		})
	}
	if _, err := secrets.ReadKeys(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}

func TestCreateKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret.keys")
	made, err := secrets.CreateKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if _, err := secrets.CreateKeys(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second key: %v, want ErrExist", err)
	}
	if again, err := secrets.ReadKeys(file); err != nil || again.ID() != made.ID() {
		t.Errorf("read again: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
}

// The broker has a value only encrypted: in what it delivers, and in its files.
func TestEncryptedAtRest(t *testing.T) {
	dir := t.TempDir()
	b := bustest.Open(t, bustest.ServerIn(t, dir), bus.Config{})
	s := newSecrets(b, keysOf(t, newKeyLine()))
	set(t, s, "DB_PASSWORD", hidden)
	set(t, s, "AGAIN", hidden)
	one, err := b.Secrets.Get(t.Context(), bus.SecretKey(bus.DefaultApp, "DB_PASSWORD"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Secrets.Get(t.Context(), bus.SecretKey(bus.DefaultApp, "AGAIN"))
	if err != nil || bytes.Equal(one.Value.Sealed, two.Value.Sealed) {
		t.Errorf("the same value is the same text twice: %v", err)
	}
	wanted := [][]byte{[]byte(hidden), []byte(base64.StdEncoding.EncodeToString([]byte(hidden)))}
	read, found := 0, false
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		read += len(data)
		found = found || bytes.Contains(data, []byte("DB_PASSWORD"))
		for _, w := range wanted {
			if bytes.Contains(data, w) {
				t.Errorf("%s has the value", path)
			}
		}
		return err
	})
	if err != nil || !found {
		t.Errorf("read %d bytes, the name was found: %v, %v", read, found, err)
	}
}

func TestListAndDelete(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	keys := keysOf(t, newKeyLine())
	s := newSecrets(b, keys)
	set(t, s, "B", "1")
	set(t, s, "A", "1")
	all, err := s.List(t.Context(), bus.DefaultApp)
	if err != nil || len(all) != 2 || all[0].Name != "A" || all[1].Name != "B" {
		t.Fatalf("listed %+v, %v", all, err)
	}
	for _, i := range all {
		if i.Sealed != nil || i.KeyID != keys.ID() || i.SetBy != "ann" || i.CreateTime.IsZero() {
			t.Errorf("listed %+v", i)
		}
	}
	if err := s.Delete(t.Context(), bus.DefaultApp, "A"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Delete(t.Context(), bus.DefaultApp, "A"), bus.CodeNoSuchSecret)
	_, _, err = s.Set(t.Context(), "none", "A", hidden, "")
	wantCode(t, err, bus.CodeNoSuchApp)
	var field *bus.FieldError
	if _, _, err = s.Set(t.Context(), bus.DefaultApp, "A", hidden+"\x00", ""); !errors.As(err, &field) || field.Path != "/value" || strings.Contains(err.Error(), hidden) {
		t.Errorf("a value with NUL: %v", err)
	}
}

func TestTooManySecrets(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	s := newSecrets(b, keysOf(t, newKeyLine()))
	for n := range secrets.MaxPerApp {
		if _, err := b.Secrets.Create(t.Context(), bus.SecretKey(bus.DefaultApp, fmt.Sprint("A", n)), bus.Secret{}); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := s.Set(t.Context(), bus.DefaultApp, "B", hidden, "")
	wantCode(t, err, bus.CodeTooManySecrets)
	set(t, s, "A1", hidden) // replaces one
}

// Buses with different files do not mix their keys: the first that stores a
// secret decides.
func TestOtherKey(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	one, two := newKeyLine(), newKeyLine()
	if used, err := secrets.IsUsed(t.Context(), b); used || err != nil {
		t.Errorf("used before the first secret: %v, %v", used, err)
	}
	set(t, newSecrets(b, keysOf(t, one)), "A", hidden)
	if used, err := secrets.IsUsed(t.Context(), b); !used || err != nil {
		t.Errorf("unused after the first secret: %v, %v", used, err)
	}
	for _, name := range []string{"A", "B"} {
		_, _, err := newSecrets(b, keysOf(t, two)).Set(t.Context(), bus.DefaultApp, name, hidden, "")
		wantCode(t, err, bus.CodeOtherSecretKey)
		if id := keysOf(t, one).ID(); !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), "--secrets-key-file") {
			t.Errorf("the error does not say what to do: %v", err)
		}
		_, _, err = newSecrets(b, nil).Set(t.Context(), bus.DefaultApp, name, hidden, "")
		wantCode(t, err, bus.CodeNoSecretKey)
	}
	set(t, newSecrets(b, keysOf(t, two+one)), "B", hidden) // the new key comes first now
	_, _, err := newSecrets(b, keysOf(t, one)).Set(t.Context(), bus.DefaultApp, "C", hidden, "")
	wantCode(t, err, bus.CodeOtherSecretKey)
}
