package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Agent runs jobs. [New] creates one.
type Agent struct {
	cfg       Config
	batchlets map[string]BatchletFunc
	artifacts Artifacts
}

// New creates an agent. Its error names the field of cfg that is wrong.
func New(cfg Config, opts ...Option) (*Agent, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	a := &Agent{cfg: cfg, batchlets: map[string]BatchletFunc{}}
	for _, opt := range opts {
		if err := opt(a); err != nil {
			return nil, fmt.Errorf("agent: %w", err)
		}
	}
	return a, nil
}

// Name returns the agent's name: the configured one, or the one derived from
// the host's name.
func (a *Agent) Name() string { return a.cfg.Name }

// ErrName is the error of an agent whose name belongs to another live agent.
var ErrName = errors.New("another running agent has this name: give each agent a name of its own (--name)")

// ErrStuck is returned by [Agent.Run] if some bodies still run although they
// were told to end. They end only with the process.
var ErrStuck = errors.New("some jobs did not end")

// Run connects to the broker and runs jobs until ctx ends. Then it fetches no
// more work, waits up to DrainGrace for running bodies, stops those that still
// run, and returns nil once every result is stored in the broker or kept in
// DataDir.
//
// It returns [ErrName] if another live agent has the name, or if an agent that
// started later takes the name over.
func (a *Agent) Run(ctx context.Context) error {
	unlock, err := lockDir(a.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer unlock()
	host := Host{DataDir: a.cfg.DataDir, Grace: a.cfg.Grace, Batchlets: a.batchlets, Artifacts: a.artifacts, Log: a.cfg.Log}
	// Open comes before the connection: it ends processes that an earlier agent
	// left running.
	if err := a.cfg.Runtime.Open(host); err != nil {
		return fmt.Errorf("agent: open the runtime: %w", err)
	}
	if err = a.runConnected(ctx); errors.Is(err, context.Canceled) {
		err = nil // ctx ended before the agent had a connection
	}
	if closeErr := a.cfg.Runtime.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close the runtime: %w", closeErr)
	}
	if err != nil {
		return fmt.Errorf("agent %s: %w", a.cfg.Name, err)
	}
	return nil
}

func (a *Agent) runConnected(ctx context.Context) error {
	ra, err := a.connectAndBuild(ctx)
	if err != nil {
		return err
	}
	defer ra.closeConnection()
	return ra.workUntilDone(ctx)
}

// connectAndBuild connects to the broker and builds all parts of the agent. It
// blocks until there is a connection or ctx ends.
func (a *Agent) connectAndBuild(ctx context.Context) (*runningAgent, error) {
	ra := &runningAgent{cfg: &a.cfg, log: a.cfg.Log, started: time.Now(), attempts: map[*attempt]bool{}}
	dir := ""
	if a.cfg.DataDir != "" {
		dir = filepath.Join(a.cfg.DataDir, "results")
	}
	var err error
	if ra.outbox, err = openOutbox(dir, a.cfg.Log); err != nil {
		return nil, err
	}
	if err := ra.connectToBroker(ctx); err != nil {
		return nil, err
	}
	ra.buildParts()
	return ra, nil
}
