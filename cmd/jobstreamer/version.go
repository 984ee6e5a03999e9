package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", GroupID: groupLook, Short: "Print the version, like --version",
		Run: func(*cobra.Command, []string) { p.printVersion() },
	}
}

func (p *program) printVersion() {
	fmt.Fprintf(p.out, "jobstreamer %s (%s, %s/%s)\n", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// programVersion returns the version of the module in this build: a tag, or the
// commit.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
