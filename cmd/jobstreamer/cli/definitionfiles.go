package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// formatByEnding maps the endings of definition files to their formats.
var formatByEnding = map[string]jsl.Format{".json": jsl.JSON, ".yaml": jsl.YAML, ".yml": jsl.YAML, ".edn": jsl.EDN, ".xml": jsl.XML}

func definitionEndings() []string { return []string{"json", "yaml", "yml", "edn", "xml"} }

func formatOfFile(file string) jsl.Format { return formatByEnding[strings.ToLower(filepath.Ext(file))] }

// definition is a text that should define a job.
type definition struct {
	file  string // as on the command line; "stdin"
	named bool   // named by the user, not found in a folder
	form  jsl.Format
	text  []byte
	part  bool // one of several in a file
}

// definitionSet has the definitions of files and folders.
type definitionSet struct {
	all     []definition
	passed  int  // files of folders that are ignored
	folders bool // at least one folder was named
}

// fileFlag defines -f. Files can be arguments too, because a shell expands -f
// *.json to a flag with one file and further arguments.
func fileFlag(cmd *cobra.Command, files *[]string) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringArrayVarP(files, "file", "f", nil, "`FILE` definition file, folder of definition files, or - for standard input; can be repeated")
	})
	if err := cmd.MarkFlagFilename("file", definitionEndings()...); err != nil {
		panic(err)
	}
}

// definitions reads all files. If one cannot be read, it returns an error
// before anything is sent.
func (inv *invocation) definitions(names []string) (*definitionSet, error) {
	if len(names) == 0 {
		return nil, usageErrorf("no definitions given; name files with -f FILE, or use -f - for standard input")
	}
	g, seen := &definitionSet{}, map[string]bool{}
	for _, name := range names {
		files, folder, err := g.filesIn(name)
		if err != nil {
			return nil, err
		}
		g.folders = g.folders || folder
		for _, file := range files {
			if seen[filepath.Clean(file)] {
				continue
			}
			seen[filepath.Clean(file)] = true
			d, err := inv.definition(file)
			if err != nil {
				return nil, err
			}
			d.named = !folder
			g.all = append(g.all, d.splitDocuments()...)
		}
	}
	return g, nil
}

// filesIn returns the definition files of a folder and its subfolders, sorted
// by name, or the file itself.
func (g *definitionSet) filesIn(name string) (files []string, folder bool, err error) {
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.IsDir() {
		return []string{name}, false, nil // reading the file will report what is wrong
	}
	if files, err = g.findFiles(name); err != nil {
		return nil, true, pathError(err)
	}
	if len(files) == 0 {
		return nil, true, usageErrorf("%s contains no files that end in .json, .yaml, .yml, .edn or .xml", name)
	}
	return files, true, nil
}

// findFiles returns the definition files below a folder and counts the other
// files. It ignores hidden files, and links to folders, because they can form
// cycles.
func (g *definitionSet) findFiles(folder string) (files []string, err error) {
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || path == folder:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), "."):
			g.passed++
			return filepath.SkipDir
		case e.IsDir():
			return nil
		}
		regular := e.Type().IsRegular()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			regular = err == nil && info.Mode().IsRegular()
		}
		if !regular || strings.HasPrefix(e.Name(), ".") || formatOfFile(path) == "" {
			g.passed++
			return nil
		}
		files = append(files, path)
		return nil
	})
	return files, err
}

func (inv *invocation) definition(file string) (d definition, err error) {
	d.file = file
	if file == "-" {
		d.file = "stdin"
		d.text, err = io.ReadAll(inv.In)
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
	if d.form = formatOfFile(file); d.form == "" {
		d.form = guessFormat(d.text)
	}
	return d, nil
}

// splitDocuments returns the documents of a YAML file, each with its line
// numbers in the file. A file of another format is a single definition.
func (d definition) splitDocuments() []definition {
	if d.form != jsl.YAML {
		return []definition{d}
	}
	var all []definition
	var text strings.Builder
	hasContent := false
	end := func(next int) {
		if hasContent {
			one := d
			one.text, one.part = []byte(text.String()), true
			all = append(all, one)
		}
		text.Reset()
		text.WriteString(strings.Repeat("\n", next))
		hasContent = false
	}
	n := 0
	for line := range strings.Lines(string(d.text)) {
		n++
		bare := strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "---"); ok && (bare == "---" || rest[0] == ' ' || rest[0] == '\t') {
			end(n - 1)
			line, bare = "   "+rest, strings.TrimSpace(rest)
		}
		hasContent = hasContent || bare != "" && !strings.HasPrefix(bare, "#") && bare != "..."
		text.WriteString(line)
	}
	end(0)
	if len(all) < 2 {
		return []definition{d}
	}
	return all
}

// guessFormat guesses the format from the beginning of a text. EDN and JSON
// both begin with a brace; in EDN, a keyword follows it.
func guessFormat(text []byte) jsl.Format {
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

// printFault writes a fault at a place of a file, in the style of compilers.
func (inv *invocation) printFault(file string, line, column int, kind, message string) {
	place := file
	if line > 0 {
		place = fmt.Sprintf("%s:%d:%d", file, line, column)
	}
	color := red
	if kind == faultWarning {
		color = yellow
	}
	fmt.Fprintf(inv.Err, "%s: %s %s\n", place, inv.pageTo(inv.Err, inv.Err).inColor(color, kind+":"), printable(message))
}

const (
	faultError   = "error"
	faultWarning = "warning"
)
