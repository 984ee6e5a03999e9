package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// A setting comes from a flag, else from the environment, else from a YAML
// file. The flags parse all three, so a value means the same in each place,
// names need no separate table, and an error names the place of the value.

const (
	envPrefix  = "JOBSTREAMER_"
	configFlag = "config"
)

// ofStep are the flags whose variables an agent sets for each step. A command
// in a step's script does not use them as defaults.
var ofStep = map[string]bool{"job": true, "step": true, "attempt": true}

// envName returns the environment variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applySettings sets the flags that were not given on the command line.
func applySettings(flags *pflag.FlagSet, env map[string]string) error {
	given := map[string]bool{"help": true, "version": true}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		value := env[envName(f.Name)]
		if given[f.Name] || value == "" || ofStep[f.Name] {
			return
		}
		given[f.Name] = true
		if err := setFlag(flags, f, []string{value}, false); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", envName(f.Name), err))
		}
	})
	if len(errs) > 0 {
		return usageError{errs[0]}
	}
	file := flags.Lookup(configFlag)
	if file == nil || file.Value.String() == "" {
		return nil
	}
	if err := applyFile(flags, file.Value.String(), given); err != nil {
		return usageError{err}
	}
	return nil
}

// applyFile sets the flags that are still unset from a YAML file. A key that is
// not a flag of the command is an error.
func applyFile(flags *pflag.FlagSet, name string, given map[string]bool) error {
	text, err := os.ReadFile(name)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("--config %s: %w", name, err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want lines such as \"http: 127.0.0.1:8080\"", name, top.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		if err := applyKey(flags, key.Value, value, given, seen); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", name, key.Line, key.Value, err)
		}
	}
	return nil
}

func applyKey(flags *pflag.FlagSet, key string, value *yaml.Node, given, seen map[string]bool) error {
	f := flags.Lookup(key)
	if f == nil || key == configFlag || key == "help" || key == "version" {
		return unknownKey(flags, key)
	}
	if seen[key] {
		return errors.New("is set twice")
	}
	seen[key] = true
	values, err := scalarTexts(value)
	if err != nil || given[key] {
		return err
	}
	return setFlag(flags, f, values, value.Kind == yaml.SequenceNode)
}

// scalarTexts returns the text of a value, or of each value of a list.
func scalarTexts(n *yaml.Node) ([]string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return []string{n.Value}, nil
	case yaml.SequenceNode:
		var texts []string
		for _, e := range n.Content {
			if e.Kind != yaml.ScalarNode {
				return nil, errors.New("want a list of values")
			}
			texts = append(texts, e.Value)
		}
		return texts, nil
	}
	return nil, errors.New("want a value or a list of values")
}

// setFlag sets a flag. Its error describes a valid value.
func setFlag(flags *pflag.FlagSet, f *pflag.Flag, values []string, list bool) error {
	if slice, ok := f.Value.(pflag.SliceValue); ok && list {
		f.Changed = true
		return slice.Replace(values)
	}
	if list {
		return errors.New("want one value, not a list")
	}
	if err := flags.Set(f.Name, values[0]); err != nil {
		want := map[string]string{"duration": "a duration such as 10s", "int": "a number", "uint": "a number of at least 0", "int64": "a number", "float64": "a number", "bool": "true or false"}[f.Value.Type()]
		if want == "" {
			return err
		}
		if isSecret(f.Name) {
			return fmt.Errorf("want %s", want)
		}
		return fmt.Errorf("want %s, not %q", want, values[0])
	}
	return nil
}

func unknownKey(flags *pflag.FlagSet, key string) error {
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != configFlag && f.Name != "help" && f.Name != "version" {
			names = append(names, f.Name)
		}
	})
	best := slices.MinFunc(names, func(a, b string) int { return help.Distance(a, key) - help.Distance(b, key) })
	if help.Distance(best, key) <= 2 {
		return fmt.Errorf("unknown setting; did you mean %s?", best)
	}
	return fmt.Errorf("unknown setting; valid settings are %s", strings.Join(names, ", "))
}

// isSecret reports whether a setting's value must not be shown.
func isSecret(flag string) bool {
	return strings.Contains(flag, "password") || strings.Contains(flag, "token")
}
