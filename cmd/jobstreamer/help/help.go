// Package help formats the help of a command tree: flags with their values
// under headings, in the order of their definition, with examples before them.
package help

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Width is the number of characters in a line.
const Width = 100

const (
	sectionKey = "section"
	quietKey   = "quiet"
	unbroken   = "\x00" // a space at which a line must not break
)

// Quiet hides the inherited flags in the help of a command. The help then ends
// with note, unless it is empty.
func Quiet(cmd *cobra.Command, note string) {
	cmd.Annotations = map[string]string{quietKey: note}
}

func isQuiet(cmd *cobra.Command) bool {
	_, quiet := cmd.Annotations[quietKey]
	return quiet
}

// Section defines flags under a heading of the help. Headings and flags are
// shown in the order of their definition.
//
// A flag's usage begins with the name of its value: "`DIR` data directory".
func Section(to *pflag.FlagSet, title string, define func(f *pflag.FlagSet)) {
	own := pflag.NewFlagSet(title, pflag.ContinueOnError)
	own.SortFlags = false
	define(own)
	own.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{sectionKey: {title}} })
	to.SortFlags = false
	to.AddFlagSet(own)
}

// Set installs this package's help for root and all its commands.
func Set(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n", paragraphs(cmp.Or(cmd.Long, cmd.Short)))
		writeUsage(cmd.OutOrStdout(), cmd)
	})
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		writeUsage(cmd.OutOrStderr(), cmd)
		return nil
	})
}

func writeUsage(w io.Writer, cmd *cobra.Command) {
	usage := "Usage:"
	if !cmd.HasAvailableSubCommands() || hasFlags(cmd) {
		fmt.Fprintf(w, "%s %s [flags]\n", usage, strings.TrimSuffix(cmd.UseLine(), " [flags]"))
		usage = "      "
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "%s %s COMMAND [flags]\n", usage, cmd.CommandPath())
	}
	writeCommands(w, cmd)
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nSee `%s COMMAND --help` for the flags of a command.\n", cmd.CommandPath())
	}
	if cmd.HasAvailableSubCommands() && !hasFlags(cmd) {
		return
	}
	writeFlags(w, cmd)
	switch note := cmd.Annotations[quietKey]; {
	case !isQuiet(cmd):
		fmt.Fprintf(w, "\nEvery flag can also be set by an environment variable (JOBSTREAMER_LOG_LEVEL for --log-level) or in\n"+
			"a YAML file (log-level: debug). Flags take precedence over the environment, and the environment over\n"+
			"the file.\n")
	case note != "":
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

// hasFlags reports whether the help of a command shows flags.
func hasFlags(cmd *cobra.Command) bool {
	found := false
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { found = found || f.Annotations[sectionKey] != nil })
	return found
}

func writeCommands(w io.Writer, cmd *cobra.Command) {
	groups := append(slices.Clone(cmd.Groups()), &cobra.Group{Title: "Commands"})
	longest := 0
	for _, c := range cmd.Commands() {
		longest = max(longest, len(c.Name()))
	}
	for _, g := range groups {
		title := "\n" + g.Title + ":\n"
		for _, c := range cmd.Commands() {
			if c.GroupID == g.ID && c.IsAvailableCommand() {
				fmt.Fprintf(w, "%s  %-*s  %s\n", title, longest, c.Name(), c.Short)
				title = ""
			}
		}
	}
}

func writeFlags(w io.Writer, cmd *cobra.Command) {
	var titles []string
	flags := map[string][]*pflag.Flag{}
	quiet := isQuiet(cmd)
	inherited := cmd.InheritedFlags()
	collect := func(f *pflag.Flag) {
		s := f.Annotations[sectionKey]
		if len(s) == 0 || slices.Contains(flags[s[0]], f) || quiet && inherited.Lookup(f.Name) == f {
			return // --help, or an inherited flag that was shown
		}
		if flags[s[0]] == nil {
			titles = append(titles, s[0])
		}
		flags[s[0]] = append(flags[s[0]], f)
	}
	cmd.Flags().VisitAll(collect)
	inherited.VisitAll(collect)
	for _, title := range titles {
		fmt.Fprintf(w, "\n%s:\n", title)
		for _, f := range flags[title] {
			writeFlag(w, f)
		}
	}
}

func writeFlag(w io.Writer, f *pflag.Flag) {
	const column = 30
	value, text := "", f.Usage
	if rest, ok := strings.CutPrefix(text, "`"); ok {
		value, text, _ = strings.Cut(rest, "` ")
	}
	left := "  --" + f.Name
	if f.Shorthand != "" {
		left = "  -" + f.Shorthand + ", --" + f.Name
	}
	if value != "" {
		left += " " + value
	}
	switch d := strings.Trim(f.DefValue, "[]"); d {
	case "", "0", "0s", "false":
	default:
		d = fmt.Sprintf(" (default: %s)", strings.Replace(d, "h0m0s", "h", 1))
		text += " " + strings.ReplaceAll(d[1:], " ", unbroken)
	}
	lines := Wrap(text, Width-column)
	if len(left) > column-2 {
		fmt.Fprintln(w, left)
		left = ""
	}
	for _, line := range lines {
		fmt.Fprintf(w, "%-*s%s\n", column, left, line)
		left = ""
	}
}

// Wrap breaks text into lines of at most width characters.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	lines = append(lines, line)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], unbroken, " ")
	}
	return lines
}

// paragraphs wraps the text that is not indented.
func paragraphs(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range all {
		if !strings.HasPrefix(p, " ") {
			all[i] = strings.Join(Wrap(p, Width), "\n")
		}
	}
	return strings.Join(all, "\n\n")
}
