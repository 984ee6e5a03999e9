package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	sectionKey = "section"
	helpWidth  = 100
	unbroken   = "\x00" // a space at which no line ends
)

// section defines flags under a heading of the help. Headings and flags are shown in the order in which they were defined.
//
// A flag's usage begins with the name of its value: "`DIR` where its data is".
func section(to *pflag.FlagSet, title string, define func(f *pflag.FlagSet)) {
	own := pflag.NewFlagSet(title, pflag.ContinueOnError)
	own.SortFlags = false
	define(own)
	own.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{sectionKey: {title}} })
	to.SortFlags = false
	to.AddFlagSet(own)
}

// setHelp makes the help of root and all its commands ours.
func setHelp(root *cobra.Command) {
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
	if cmd.HasSubCommands() {
		fmt.Fprintf(w, "Usage: %s COMMAND [flags]\n", cmd.CommandPath())
		writeCommands(w, cmd)
	} else {
		fmt.Fprintf(w, "Usage: %s [flags]\n", cmd.CommandPath())
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	if cmd.HasSubCommands() {
		fmt.Fprintf(w, "\nSee `%s COMMAND --help` for the flags of a command.\n", cmd.CommandPath())
		return
	}
	writeFlags(w, cmd)
	fmt.Fprintf(w, "\nEvery flag can also come from the environment (--log-level is %s) or from a YAML file\n"+
		"(log-level: debug). Flags win over the environment, the environment wins over the file.\n", envName("log-level"))
}

func writeCommands(w io.Writer, cmd *cobra.Command) {
	for _, g := range cmd.Groups() {
		fmt.Fprintf(w, "\n%s:\n", g.Title)
		for _, c := range cmd.Commands() {
			if c.GroupID == g.ID {
				fmt.Fprintf(w, "  %-9s %s\n", c.Name(), c.Short)
			}
		}
	}
}

func writeFlags(w io.Writer, cmd *cobra.Command) {
	var titles []string
	flags := map[string][]*pflag.Flag{}
	collect := func(f *pflag.Flag) {
		s := f.Annotations[sectionKey]
		if len(s) == 0 || slices.Contains(flags[s[0]], f) {
			return // --help, or inherited and seen
		}
		if flags[s[0]] == nil {
			titles = append(titles, s[0])
		}
		flags[s[0]] = append(flags[s[0]], f)
	}
	cmd.Flags().VisitAll(collect)
	cmd.InheritedFlags().VisitAll(collect)
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
	lines := wrap(text, helpWidth-column)
	if len(left) > column-2 {
		fmt.Fprintln(w, left)
		left = ""
	}
	for _, line := range lines {
		fmt.Fprintf(w, "%-*s%s\n", column, left, line)
		left = ""
	}
}

// wrap breaks text into lines of at most width letters.
func wrap(text string, width int) []string {
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

// paragraphs wraps what is not indented.
func paragraphs(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range all {
		if !strings.HasPrefix(p, " ") {
			all[i] = strings.Join(wrap(p, helpWidth), "\n")
		}
	}
	return strings.Join(all, "\n\n")
}
