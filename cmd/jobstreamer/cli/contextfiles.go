package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// savedContext is a control bus with its default application.
type savedContext struct {
	Server      string `yaml:"server"`
	ServerCA    string `yaml:"server-ca,omitempty"` // PEM file of authorities
	App         string `yaml:"app,omitempty"`
	Description string `yaml:"description,omitempty"`
	Token       string `yaml:"token,omitempty"` // login token or key; never shown
}

// contexts is a directory with one file for each context. Another file has the
// name of the selected context.
//
//	jobstreamer/context             prod
//	jobstreamer/contexts/prod.yaml  server: https://...
//
// Without a directory (no HOME), there are no contexts and none can be saved.
type contexts struct{ dir string }

var errNoContext = errors.New("no such context")

var contextName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$`)

func (c contexts) filePath(name string) string { return filepath.Join(c.dir, "contexts", name+".yaml") }

// listNames returns the names of all contexts, sorted.
func (c contexts) listNames() ([]string, error) {
	if c.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(c.dir, "contexts"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list contexts: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok && contextName.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// loadContext returns a context. If it does not exist, the error is
// errNoContext and lists the existing ones.
func (c contexts) loadContext(name string) (s savedContext, err error) {
	var data []byte
	if err = checkContextName(name); err == nil && c.dir == "" {
		return s, c.unknownContext(name)
	}
	if err == nil {
		data, err = os.ReadFile(c.filePath(name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return s, c.unknownContext(name)
	}
	if err == nil {
		err = yaml.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("read the context %s: %w", name, err)
	}
	return s, nil
}

func (c contexts) unknownContext(name string) error {
	names, _ := c.listNames()
	if len(names) == 0 {
		return fmt.Errorf("context %s: %w; add it with `jobstreamer context add %s --server URL`", name, errNoContext, name)
	}
	return fmt.Errorf("context %s: %w; existing contexts: %s", name, errNoContext, strings.Join(names, ", "))
}

func checkContextName(name string) error {
	if !contextName.MatchString(name) {
		return usageErrorf("context %q: want a name made of the characters A-Z a-z 0-9 _ - .", name)
	}
	return nil
}

// saveContext writes a context to a file that other users cannot read.
func (c contexts) saveContext(name string, s savedContext) error {
	if err := checkContextName(name); err != nil {
		return err
	}
	if c.dir == "" {
		return fmt.Errorf("save the context %s: contexts are stored below HOME, which is not set", name)
	}
	data, err := yaml.Marshal(s)
	if err == nil {
		err = replaceFile(c.filePath(name), data)
	}
	if err != nil {
		return fmt.Errorf("save the context %s: %w", name, err)
	}
	return nil
}

// replaceFile replaces a file atomically: a reader sees the old content or the
// new.
func replaceFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	return renameInto(f, data, name)
}

// renameInto writes data to the temporary file f, closes it and renames it to
// name. After an error, it removes the temporary file.
func renameInto(f *os.File, data []byte, name string) error {
	defer os.Remove(f.Name())
	_, err := f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (c contexts) deleteContext(name string) error {
	if _, err := c.loadContext(name); errors.Is(err, errNoContext) || checkContextName(name) != nil {
		return err
	}
	if err := os.Remove(c.filePath(name)); err != nil {
		return fmt.Errorf("delete the context %s: %w", name, err)
	}
	if c.selectedName() == name {
		return os.Remove(c.selectionPath())
	}
	return nil
}

func (c contexts) selectionPath() string { return filepath.Join(c.dir, "context") }

// selectedName returns the name of the selected context, or "" if there is
// none.
func (c contexts) selectedName() string {
	if c.dir == "" {
		return ""
	}
	data, _ := os.ReadFile(c.selectionPath())
	return strings.TrimSpace(string(data))
}

func (c contexts) selectContext(name string) error {
	if _, err := c.loadContext(name); err != nil {
		return err
	}
	if err := replaceFile(c.selectionPath(), []byte(name+"\n")); err != nil {
		return fmt.Errorf("select the context %s: %w", name, err)
	}
	return nil
}
