package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// endings of the files of definitions.
var endings = map[string]jsl.Format{".json": jsl.JSON, ".yaml": jsl.YAML, ".yml": jsl.YAML, ".edn": jsl.EDN, ".xml": jsl.XML}

func definitionEndings() []string { return []string{"json", "yaml", "yml", "edn", "xml"} }

// definition is a text that should be a job.
type definition struct {
	file string // as it was named; "stdin"
	form jsl.Format
	text []byte
}

// fileFlag takes the files of a command, whose arguments may be files too: a shell makes those of -f *.json.
func fileFlag(cmd *cobra.Command, files *[]string) {
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.StringArrayVarP(files, "file", "f", nil, "`FILE` with a definition, a folder of them, or - for standard input; may be given several times")
	})
	if err := cmd.MarkFlagFilename("file", definitionEndings()...); err != nil {
		panic(err)
	}
}

// definitions reads all files. One that cannot be read stops everything before anything is sent.
func (s *session) definitions(names []string) ([]definition, error) {
	if len(names) == 0 {
		return nil, usage("which definitions? -f FILE says it; - is standard input")
	}
	var all []definition
	for _, name := range names {
		files, err := filesIn(name)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			d, err := s.definition(file)
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// filesIn are the definitions of a folder, or the file itself.
func filesIn(name string) ([]string, error) {
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.IsDir() {
		return []string{name}, nil // whoever reads it says what is wrong with it
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if endings[strings.ToLower(filepath.Ext(e.Name()))] != "" && !e.IsDir() {
			files = append(files, filepath.Join(name, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, usage("%s has no files that end in .json, .yaml, .yml, .edn or .xml", name)
	}
	slices.Sort(files)
	return files, nil
}

func (s *session) definition(file string) (d definition, err error) {
	d.file = file
	if file == "-" {
		d.file = "stdin"
		d.text, err = io.ReadAll(s.In)
	} else {
		d.text, err = os.ReadFile(file)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if err != nil {
		return d, fmt.Errorf("read %s: %w", d.file, err)
	}
	d.form = endings[strings.ToLower(filepath.Ext(file))]
	if d.form == "" {
		d.form = guess(d.text)
	}
	return d, nil
}

// guess goes by what a text begins with. EDN and JSON both begin with a brace; a keyword follows it in EDN.
func guess(text []byte) jsl.Format {
	s := strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff"))
	inner := strings.TrimLeft(strings.TrimPrefix(s, "{"), " \t\r\n,")
	switch {
	case strings.HasPrefix(s, "<"), jsl.LooksEncoded(text):
		return jsl.XML
	case strings.HasPrefix(s, "{") && (strings.HasPrefix(inner, ":") || strings.HasPrefix(inner, "#_")), strings.HasPrefix(s, ";"):
		return jsl.EDN
	case strings.HasPrefix(s, "{"):
		return jsl.JSON
	}
	return jsl.YAML
}

// fault writes what is wrong at a place of a file, as compilers do.
func (s *session) fault(file string, line, column int, kind, message string) {
	place := file
	if line > 0 {
		place = fmt.Sprintf("%s:%d:%d", file, line, column)
	}
	color := red
	if kind == warning {
		color = yellow
	}
	fmt.Fprintf(s.Err, "%s: %s %s\n", place, s.pageTo(s.Err, s.Err).in(color, kind+":"), printable(message))
}

const (
	mistake = "error"
	warning = "warning"
)
