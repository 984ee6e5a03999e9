package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/deploy/classfile"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
)

// ownBatchlets are the batchlets that every agent of this program can run
// without an installation, besides those of the shell.
var ownBatchlets = map[string]agent.BatchletFunc{
	"jobstreamer.Noop": runNoop, "jobstreamer.Say": runSay, "jobstreamer.Sleep": runSleep, "jobstreamer.Fail": runFail,
	v1.TestBatchlet: runNoop,
}

// artifactOptions registers what the agents of this program can run. runAs is the
// user of the processes of jobs, empty for the agent's own.
func artifactOptions(env map[string]string, runAs string) ([]agent.Option, error) {
	sources, err := dataSources(env)
	if err != nil {
		return nil, err
	}
	c := builtin.Config{Secrets: builtin.SecretsFrom(env), DataSources: sources}
	if runAs != "" {
		c.NoFiles = "this agent runs jobs as another user (--run-as), so it does not touch files for them: use a shell step"
	}
	all := builtin.Options(c)
	for ref, run := range ownBatchlets {
		all = append(all, agent.Batchlet(ref, run))
	}
	for ref, factory := range ownReaders {
		all = append(all, agent.Reader(ref, factory))
	}
	for ref, factory := range ownWriters {
		all = append(all, agent.Writer(ref, factory))
	}
	return append(all, agent.Reader(v1.TestReader, newTestReader), agent.Writer(v1.TestWriter, newTestWriter)), nil
}

// newTestReader creates the reader of a test execution: it reads v1.TestItems
// numbers.
func newTestReader(*agent.StepContext) (agent.ItemReader[int], error) {
	n := 0
	return agent.ReaderFunc[int](func(context.Context) (int, error) {
		if n == v1.TestItems {
			return 0, io.EOF
		}
		n++
		return n, nil
	}), nil
}

// newTestWriter creates the writer of a test execution, which writes nothing.
func newTestWriter(*agent.StepContext) (agent.ItemWriter[int], error) {
	return agent.WriterFunc[int](func(context.Context, []int) error { return nil }), nil
}

// builtinComponents are the components that jobs of every application can name.
func builtinComponents() []deploy.Component {
	all := []deploy.Component{
		component(native.Shell, classfile.Batchlet),
		component(native.ConditionDecider, classfile.Decider),
	}
	c := builtin.Config{}
	all = append(all, components(c.Batchlets(), classfile.Batchlet)...)
	all = append(all, components(c.Readers(), classfile.ItemReader)...)
	all = append(all, components(c.Writers(), classfile.ItemWriter)...)
	all = append(all, components(ownBatchlets, classfile.Batchlet)...)
	all = append(all, components(ownReaders, classfile.ItemReader)...)
	return append(all, components(ownWriters, classfile.ItemWriter)...)
}

// components returns the components of artifacts of one kind, sorted by name.
func components[A any](artifacts map[string]A, k classfile.Kind) []deploy.Component {
	var all []deploy.Component
	for _, ref := range slices.Sorted(maps.Keys(artifacts)) {
		all = append(all, component(ref, k))
	}
	return all
}

func component(ref string, k classfile.Kind) deploy.Component {
	return deploy.Component{Class: ref, Ref: ref, Kinds: []string{string(k)}}
}

// runNoop does nothing, so that only the dispatching costs time.
func runNoop(context.Context, *agent.StepContext) (string, error) { return "", nil }

// runSay writes the property "message" to the output.
func runSay(_ context.Context, s *agent.StepContext) (string, error) {
	s.Log.Info(s.Properties["message"])
	return "", nil
}

// runSleep waits for the property "time", such as 2s, or until it is stopped.
func runSleep(ctx context.Context, s *agent.StepContext) (string, error) {
	d, err := time.ParseDuration(s.Properties["time"])
	if err != nil {
		return "", fmt.Errorf("property time: want a duration such as 2s: %w", err)
	}
	s.Log.Info("sleeping for " + d.String())
	select {
	case <-time.After(d):
		return "", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// runFail fails with the property "message".
func runFail(_ context.Context, s *agent.StepContext) (string, error) {
	return "", errors.New(s.Properties["message"])
}
