package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const (
	uploads           = 3 // number of concurrent uploads
	uploadRedrawEvery = 100 * time.Millisecond
)

func (c *CLI) appDeploy() *cobra.Command {
	var verbose bool
	cmd := c.serverCommand("deploy APP PATH...", "Deploy jars and class folders as a new revision of an application", func(inv *invocation, args []string) error {
		return inv.deployJars(args[0], args[1:], verbose)
	})
	cmd.Long = `Creates a new revision of an application and makes it the current one. Each path is an archive (jar, war, ear or zip), a class folder, which is
packed into a jar, or a folder of jars and wars. The order of the paths is the order of the class path. Only jars that the control bus does not
have yet are uploaded. If the application does not exist, it is created.`
	cmd.Example = `  jobstreamer app deploy billing target/billing-1.2.jar target/lib
  jobstreamer app deploy billing target/classes ~/lib/*.jar
  jobstreamer app components billing`
	help.Section(cmd.Flags(), "Output", func(f *pflag.FlagSet) {
		f.BoolVar(&verbose, "verbose", false, "show all warnings, not only the first ones")
	})
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) deployJars(app string, paths []string, verbose bool) error {
	begin := time.Now()
	temp, err := os.MkdirTemp("", "jobstreamer-deploy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	jars, err := jarsOf(inv.ctx, paths, temp)
	if err != nil {
		return err
	}
	if _, _, err := inv.client.PutApp(inv.ctx, rest.App{Name: app}, client.Condition{Create: true}); err != nil && client.Code(err) != "conflict" {
		return err
	}
	want := rest.NewDeployment{}
	for _, j := range jars {
		want.Artifacts = append(want.Artifacts, j.artifactRef())
	}
	var missing []string
	return showAnswer(inv, func(c *client.Client) (d *rest.Deployment, err error) {
		d, err = c.Deploy(inv.ctx, app, want)
		if client.Code(err) != "artifacts_missing" {
			return d, err
		}
		missing = client.Missing(err)
		if err := inv.uploadJars(jars, missing); err != nil {
			return nil, err
		}
		return c.Deploy(inv.ctx, app, want)
	}, func(p *page, d *rest.Deployment) {
		inv.drawDeployment(p, app, d, missing, time.Since(begin))
		for _, j := range jars {
			inv.printWarnings(app, j.warnings, true)
		}
		inv.printWarnings(app, d.Warnings, verbose)
	})
}

func (inv *invocation) drawDeployment(p *page, app string, d *rest.Deployment, sent []string, took time.Duration) {
	t := newTable("JAR", ">SIZE", "")
	for _, a := range d.Artifacts {
		is := cell{"unchanged", ""}
		if slices.Contains(sent, a.SHA256) {
			is = cell{"new", green}
		}
		t.addRow(a.Name, sizeText(a.Size), is)
	}
	p.writeTable(t)
	fmt.Fprintf(p, "\nRevision %d of %s is deployed: %s in %s (took %s).\n", d.Revision, app,
		countText(d.Components, "component", "components"), countText(d.Classes, "class", "classes"), durationText(took))
}

const shownWarnings = 10

// printWarnings writes the first warnings of a deployment, or all.
func (inv *invocation) printWarnings(app string, warnings []string, all bool) {
	shown := warnings
	if !all {
		shown = warnings[:min(len(warnings), shownWarnings)]
	}
	for _, w := range shown {
		fmt.Fprintf(inv.Err, "%s %s\n", inv.pageTo(inv.Err, inv.Err).inColor(yellow, faultWarning+":"), printable(w))
	}
	if more := len(warnings) - len(shown); more > 0 {
		fmt.Fprintf(inv.Err, "and %d more; list all with `%s`\n", more, inv.serverCommandLine("app revisions "+app+" -o json"))
	}
}

// uploadJars sends the missing jars, several at a time.
func (inv *invocation) uploadJars(jars []jar, missing []string) error {
	if len(missing) > 0 { // EDN does not list them: a jar that exists is detected when it is sent
		jars = slices.DeleteFunc(slices.Clone(jars), func(j jar) bool { return !slices.Contains(missing, j.sum) })
	}
	p := &uploadProgress{}
	for _, j := range jars {
		p.total += j.size
	}
	defer p.showProgress(inv.statusLine())()
	g, ctx := errgroup.WithContext(inv.ctx)
	g.SetLimit(uploads)
	for _, j := range jars {
		g.Go(func() error { return inv.uploadJar(ctx, j, p) })
	}
	return g.Wait()
}

func (inv *invocation) uploadJar(ctx context.Context, j jar, p *uploadProgress) error {
	f, err := os.Open(j.file)
	if err != nil {
		return pathError(err)
	}
	defer f.Close()
	p.name.Store(&j.name)
	if _, err := inv.client.PutArtifact(ctx, j.artifactRef(), io.TeeReader(f, p), j.size); err != nil {
		return fmt.Errorf("upload %s: %w", j.file, err)
	}
	return nil
}

// uploadProgress counts the bytes that were sent.
type uploadProgress struct {
	sent  atomic.Int64
	total int64
	name  atomic.Pointer[string] // name of the jar whose upload began last
}

func (p *uploadProgress) Write(b []byte) (int, error) {
	p.sent.Add(int64(len(b)))
	return len(b), nil
}

func (p *uploadProgress) String() string {
	name := ""
	if n := p.name.Load(); n != nil {
		name = *n
	}
	sent := p.sent.Load()
	return fmt.Sprintf("%s %s of %s  %s", progressBar(sent, p.total), sizeText(sent), sizeText(p.total), name)
}

// progressBar draws a part of a whole.
func progressBar(part, whole int64) string {
	const length = 20
	full := 0
	if whole > 0 {
		full = int(length * part / whole)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", length-full)
}

// showProgress shows the progress on a terminal until stop is called.
func (p *uploadProgress) showProgress(line *statusLine) (stop func()) {
	if !line.live {
		return func() {}
	}
	stopped, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(uploadRedrawEvery)
		defer tick.Stop()
		for {
			line.showText(p.String())
			select {
			case <-tick.C:
			case <-stopped:
				line.clearLine()
				return
			}
		}
	}()
	return func() { close(stopped); <-ended }
}

func (c *CLI) appComponents() *cobra.Command {
	cmd := c.serverCommand("components APP", "List the components that jobs of an application can use", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) ([]rest.Component, error) { return c.Components(inv.ctx, args[0]) }, drawComponents)
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawComponents(p *page, all []rest.Component) {
	t := newTable("REF", "KIND", "CLASS", "ORIGIN").withOptional("CLASS").withDrops("ORIGIN", "CLASS").withCuts("ORIGIN", "CLASS", "KIND")
	for _, c := range all {
		class := c.Class
		if class == c.Ref {
			class = ""
		}
		t.addRow(c.Ref, strings.Join(c.Kinds, ", "), class, c.Origin)
	}
	p.writeTable(t)
}

func (c *CLI) appRevisions() *cobra.Command {
	cmd := c.serverCommand("revisions APP", "List the latest revisions of an application", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) (rest.List[rest.Deployment], error) {
			return c.Deployments(inv.ctx, args[0])
		}, func(p *page, list rest.List[rest.Deployment]) {
			t := newTable(">REVISION", "", "DEPLOYED", ">JARS", ">COMPONENTS", ">WARNINGS").withDrops("JARS", "COMPONENTS")
			for _, d := range list.Results {
				current := cell{}
				if d.Current {
					current = cell{"current", green}
				}
				t.addRow(d.Revision, current, p.timeCell(d.CreateTime), len(d.Artifacts), d.Components, len(d.Warnings))
			}
			drawList(p, t, list, fmt.Sprintf("No revisions. Deploy one with `%s`.", inv.serverCommandLine("app deploy "+args[0]+" PATH")))
		})
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (c *CLI) appUse() *cobra.Command {
	cmd := c.serverCommand("use APP REVISION", "Switch an application to another revision", func(inv *invocation, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return usageErrorf("%q: want a revision number", args[1])
		}
		return showAnswer(inv, func(c *client.Client) (*rest.Deployment, error) { return c.UseDeployment(inv.ctx, args[0], n) }, func(p *page, d *rest.Deployment) {
			fmt.Fprintf(p, "Application %s uses revision %d.\n", args[0], d.Revision)
		})
	})
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}
