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
	uploads     = 3 // at a time
	uploadSight = 100 * time.Millisecond
)

func (c *CLI) appDeploy() *cobra.Command {
	var verbose bool
	cmd := c.leaf("deploy APP PATH...", "Make a new revision of an application of jars and class folders", func(s *session, args []string) error {
		return s.deploy(args[0], args[1:], verbose)
	})
	cmd.Long = `Makes a new revision of an application, and the current one of it. Each path is an archive (jar, war, ear or zip), a class folder, which becomes
a jar, or a folder of jars and wars; their order is that of the class path. Only what the control bus does not have yet is sent. The application
is created if it is not there.`
	cmd.Example = `  jobstreamer app deploy billing target/billing-1.2.jar target/lib
  jobstreamer app deploy billing target/classes ~/lib/*.jar
  jobstreamer app components billing`
	help.Section(cmd.Flags(), "How", func(f *pflag.FlagSet) {
		f.BoolVar(&verbose, "verbose", false, "show all warnings, not only the first ones")
	})
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (s *session) deploy(app string, paths []string, verbose bool) error {
	begin := time.Now()
	temp, err := os.MkdirTemp("", "jobstreamer-deploy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	jars, err := jarsOf(s.ctx, paths, temp)
	if err != nil {
		return err
	}
	if _, _, err := s.client.PutApp(s.ctx, rest.App{Name: app}, client.Condition{Create: true}); err != nil && client.Code(err) != "conflict" {
		return err
	}
	want := rest.NewDeployment{}
	for _, j := range jars {
		want.Artifacts = append(want.Artifacts, j.ref())
	}
	var missing []string
	return show(s, func(c *client.Client) (d *rest.Deployment, err error) {
		d, err = c.Deploy(s.ctx, app, want)
		if client.Code(err) != "artifacts_missing" {
			return d, err
		}
		missing = client.Missing(err)
		if err := s.upload(jars, missing); err != nil {
			return nil, err
		}
		return c.Deploy(s.ctx, app, want)
	}, func(p *page, d *rest.Deployment) {
		s.drawDeployment(p, app, d, missing, time.Since(begin))
		for _, j := range jars {
			s.warn(app, j.warnings, true)
		}
		s.warn(app, d.Warnings, verbose)
	})
}

func (s *session) drawDeployment(p *page, app string, d *rest.Deployment, sent []string, took time.Duration) {
	t := newTable("JAR", ">SIZE", "")
	for _, a := range d.Artifacts {
		is := cell{"unchanged", ""}
		if slices.Contains(sent, a.SHA256) {
			is = cell{"new", green}
		}
		t.row(a.Name, size(a.Size), is)
	}
	p.table(t)
	fmt.Fprintf(p, "\nRevision %d of %s is deployed: %s in %s, after %s.\n", d.Revision, app,
		count(d.Components, "component", "components"), count(d.Classes, "class", "classes"), short(took))
}

const shownWarnings = 10

// warn says the first warnings of a deployment, or all.
func (s *session) warn(app string, warnings []string, all bool) {
	shown := warnings
	if !all {
		shown = warnings[:min(len(warnings), shownWarnings)]
	}
	for _, w := range shown {
		fmt.Fprintf(s.Err, "%s %s\n", s.pageTo(s.Err, s.Err).in(yellow, warning+":"), printable(w))
	}
	if more := len(warnings) - len(shown); more > 0 {
		fmt.Fprintf(s.Err, "and %d more: `%s` has all\n", more, s.againThere("app revisions "+app+" -o json"))
	}
}

// upload sends the jars that are missing, some at a time.
func (s *session) upload(jars []jar, missing []string) error {
	if len(missing) > 0 { // EDN does not say which: what is there already is known when it is sent
		jars = slices.DeleteFunc(slices.Clone(jars), func(j jar) bool { return !slices.Contains(missing, j.sum) })
	}
	p := &uploading{}
	for _, j := range jars {
		p.total += j.size
	}
	defer p.watch(s.statusLine())()
	g, ctx := errgroup.WithContext(s.ctx)
	g.SetLimit(uploads)
	for _, j := range jars {
		g.Go(func() error { return s.uploadOne(ctx, j, p) })
	}
	return g.Wait()
}

func (s *session) uploadOne(ctx context.Context, j jar, p *uploading) error {
	f, err := os.Open(j.file)
	if err != nil {
		return pathError(err)
	}
	defer f.Close()
	p.name.Store(&j.name)
	if _, err := s.client.PutArtifact(ctx, j.ref(), io.TeeReader(f, p), j.size); err != nil {
		return fmt.Errorf("send %s: %w", j.file, err)
	}
	return nil
}

// uploading counts what was sent.
type uploading struct {
	sent  atomic.Int64
	total int64
	name  atomic.Pointer[string] // of the jar that was begun last
}

func (p *uploading) Write(b []byte) (int, error) {
	p.sent.Add(int64(len(b)))
	return len(b), nil
}

func (p *uploading) String() string {
	name := ""
	if n := p.name.Load(); n != nil {
		name = *n
	}
	sent := p.sent.Load()
	return fmt.Sprintf("%s %s of %s  %s", bar(sent, p.total), size(sent), size(p.total), name)
}

// bar is a part of a whole as a picture.
func bar(part, whole int64) string {
	const length = 20
	full := 0
	if whole > 0 {
		full = int(length * part / whole)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", length-full)
}

// watch shows on a terminal how far it is, until the function that it returns is called.
func (p *uploading) watch(line *statusLine) (stop func()) {
	if !line.live {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(uploadSight)
		defer tick.Stop()
		for {
			line.show(p.String())
			select {
			case <-tick.C:
			case <-over:
				line.clear()
				return
			}
		}
	}()
	return func() { close(over); <-ended }
}

func (c *CLI) appComponents() *cobra.Command {
	cmd := c.leaf("components APP", "List the components that jobs of an application can name", func(s *session, args []string) error {
		return show(s, func(c *client.Client) ([]rest.Component, error) { return c.Components(s.ctx, args[0]) }, drawComponents)
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawComponents(p *page, all []rest.Component) {
	t := newTable("REF", "KIND", "CLASS", "FROM").ifAny("CLASS").dropping("FROM", "CLASS").cutting("FROM", "CLASS", "KIND")
	for _, c := range all {
		class := c.Class
		if class == c.Ref {
			class = ""
		}
		t.row(c.Ref, strings.Join(c.Kinds, ", "), class, c.Origin)
	}
	p.table(t)
}

func (c *CLI) appRevisions() *cobra.Command {
	cmd := c.leaf("revisions APP", "List the newest revisions of an application", func(s *session, args []string) error {
		return show(s, func(c *client.Client) (rest.List[rest.Deployment], error) {
			return c.Deployments(s.ctx, args[0])
		}, func(p *page, list rest.List[rest.Deployment]) {
			t := newTable(">REVISION", "", "DEPLOYED", ">JARS", ">COMPONENTS", ">WARNINGS").dropping("JARS", "COMPONENTS")
			for _, d := range list.Results {
				current := cell{}
				if d.Current {
					current = cell{"current", green}
				}
				t.row(d.Revision, current, p.when(d.CreateTime), len(d.Artifacts), d.Components, len(d.Warnings))
			}
			drawList(p, t, list, fmt.Sprintf("No revisions. `%s` makes one.", s.againThere("app deploy "+args[0]+" PATH")))
		})
	})
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (c *CLI) appUse() *cobra.Command {
	cmd := c.leaf("use APP REVISION", "Make a revision of an application the current one", func(s *session, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return usage("%q: want the number of a revision", args[1])
		}
		return show(s, func(c *client.Client) (*rest.Deployment, error) { return c.UseDeployment(s.ctx, args[0], n) }, func(p *page, d *rest.Deployment) {
			fmt.Fprintf(p, "Application %s is at revision %d.\n", args[0], d.Revision)
		})
	})
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}
