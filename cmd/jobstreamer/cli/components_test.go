package cli

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// What a control bus warns of when it stores a job, validate says before, word for word.
func TestWarningsAreThoseOfTheControlBus(t *testing.T) {
	builtin := []deploy.Component{
		{Ref: "mail", Class: "a.Mail", Kinds: []string{"listener"}, Listens: []string{"job"}},
		{Ref: "watch", Class: "a.Watch", Kinds: []string{"listener"}, Listens: []string{"step", "item-read"}},
		{Ref: "load", Class: "a.Load", Aliases: []string{"a.b.Load"}, Kinds: []string{"batchlet"}},
		{Ref: "two", Class: "a.Two", Kinds: []string{"item-reader"}}, {Ref: "two", Class: "b.Two", Kinds: []string{"batchlet"}},
		{Ref: "both", Class: "a.Both", Kinds: []string{"item-processor", "decider"}}, {Ref: "none", Class: "a.Nothing", Kinds: []string{"listener"}},
	}
	for i := range 5 {
		builtin = append(builtin, deploy.Component{Ref: fmt.Sprint("b", i), Class: fmt.Sprint("z.B", i), Kinds: []string{"batchlet"}})
	}
	d := deployer(t, builtin)
	if _, err := d.DeployPath(t.Context(), "shop", []string{"file://" + tree(t, "notes.txt") + "/"}); err != nil {
		t.Fatal(err)
	}
	for _, app := range []string{"shop", "bank"} {
		check := &components{app: app, asked: true, deployed: app == "shop"}
		for _, c := range d.Components(app) {
			check.known = append(check.known, rest.Component{Class: c.Class, Ref: c.Ref, Aliases: c.Aliases, Kinds: c.Kinds, Listens: c.Listens, Origin: c.Origin})
		}
		warned := 0
		for _, ref := range []string{"mail", "watch", "load", "a.b.Load", "LOAD", "c.load", "two", "both", "none", "nobody", "#{jobParameters['x']}"} {
			job := jobOf(t, ref)
			want := strings.Join(d.Missing(app, job), "\n")
			if got := strings.Join(check.lacking(job), "\n"); got != want {
				t.Errorf("%s in %s:\n%s\nwant\n%s", ref, app, got, want)
			}
			warned += strings.Count(want, "\n")
		}
		if warned < 20 {
			t.Errorf("%s: the control bus warns %d times only", app, warned)
		}
	}
	if got := (&components{}).lacking(jobOf(t, "nobody")); got != nil {
		t.Errorf("%q of nobody who was asked", got)
	}
}

// jobOf names a component at all kinds of places.
func jobOf(t *testing.T, ref string) *jsl.Job {
	t.Helper()
	job, err := jsl.Parse(jsl.JSON, []byte(strings.ReplaceAll(`{"id": "j", "listeners": [{"ref": "REF"}], "steps": [
		{"id": "a", "listeners": [{"ref": "REF"}], "batchlet": {"ref": "REF"}, "next": "b"},
		{"id": "b", "chunk": {"reader": {"ref": "REF"}, "processor": {"ref": "REF"}, "writer": {"ref": "REF"}}, "next": "c"},
		{"id": "c", "decision": {"ref": "REF"}, "transitions": [{"end": {"on": "*"}}]}]}`, "REF", ref)))
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// deployer runs until the test ends.
func deployer(t *testing.T, builtin []deploy.Component) *deploy.Deployer {
	t.Helper()
	d, err := deploy.New(deploy.Config{Bus: bustest.Open(t, bustest.Server(t), bus.Config{}), TempDir: t.TempDir(), Builtin: builtin})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := d.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}
