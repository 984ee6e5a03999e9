package cli

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
)

// withBus runs a control bus without agents until the test ends, and returns an
// environment that uses it.
func withBus(t *testing.T, set ...func(*httpapi.Config)) (*env, *bus.Bus) {
	t.Helper()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	x := index.New(b)
	life := execution.New(b, x, execution.Config{})
	plan := scheduler.New(scheduler.Config{Bus: b, Index: x, Submit: life})
	deployer, err := deploy.New(deploy.Config{Bus: b, Objects: bustest.Artifacts(t, b), TempDir: t.TempDir(), Builtin: []deploy.Component{{Class: "Noop", Ref: "Noop", Kinds: []string{"batchlet"}}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	for _, run := range []func(context.Context) error{x.Run, life.Run, plan.Run, deployer.Run} {
		g.Go(func() error { return run(ctx) })
	}
	<-x.Ready()
	if err := deployer.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	users := login.New(login.Config{Bus: b})
	g.Go(func() error { return users.Run(ctx) })
	if err := users.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	rows := audit.New(b)
	g.Go(func() error { return rows.Run(ctx) })
	cfg := httpapi.Config{Audit: rows, Health: b.Healthy, Broker: b.JS, Catalog: catalog.New(catalog.Config{Bus: b, Index: x, History: life, Schedules: plan}), Index: x, Executions: life, Agents: life.Agents(), Schedules: plan, Deployments: deployer, Logins: users, Version: "test"}
	for _, f := range set {
		f(&cfg)
	}
	api, err := httpapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(api)
	t.Cleanup(func() {
		s.Close()
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	e := newEnv(t)
	e.vars["JOBSTREAMER_SERVER"] = s.URL
	return e, b
}

// applyFiles stores a job with the batchlet ref.
func (e *env) applyFiles(t *testing.T, job, ref string) {
	t.Helper()
	e.in = fmt.Sprintf("id: %s\nsteps:\n  - {id: s, batchlet: {ref: %s}}\n", job, ref)
	if got := e.runOnce(t.Context(), "job", "apply", "-f", "-"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
}

func TestCompletionsBeginAsTyped(t *testing.T) {
	e, _ := withBus(t)
	for _, job := range []string{"hello", "help", "other"} {
		e.applyFiles(t, job, "Noop")
	}
	for range 2 {
		if got := e.runOnce(t.Context(), "app", "deploy", "shop", makeTree(t, t.Name()+".class")); got.failed != nil {
			t.Fatalf("%+v", got)
		}
	}
	for line, want := range map[string]string{
		"run |hel": "hello help :4", "run |": "hello help other :4", "run |x": ":4", "job list -o |j": "json :4", "job list -o |w": "wide :4", "run --app |s": "shop :4",
		"app use shop |": "2 1 :4", "app use shop |2": "2 :4", "app use none |": ":4", "schedule preview |o": "other :4", "job apply |x": "json yaml yml edn xml :8",
	} {
		words, word, _ := strings.Cut(line, "|")
		got := e.runOnce(t.Context(), append(append([]string{"__complete"}, strings.Fields(words)...), word)...)
		var offered []string
		for l := range strings.Lines(got.out) {
			name, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
			offered = append(offered, name)
		}
		if strings.Join(offered, " ") != want {
			t.Errorf("%s: %q, want %q", line, offered, want)
		}
	}
}
