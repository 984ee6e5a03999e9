package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Agent runs jobs. It is made by [New].
type Agent struct {
	cfg       Config
	batchlets map[string]BatchletFunc
}

// New makes an agent. Its error names the field of cfg that is wrong.
func New(cfg Config, opts ...Option) (*Agent, error) {
	if err := cfg.fill(); err != nil {
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

// Name is the agent's name, also if it was made from the host's.
func (a *Agent) Name() string { return a.cfg.Name }

// ErrName says that the name belongs to another live agent.
var ErrName = errors.New("another live agent has this name: give each its own (--name)")

// ErrStuck says that Run returned although bodies still ran: they did not end
// although they were told to. Only the end of the process ends them.
var ErrStuck = errors.New("bodies did not end")

// Run is one life of the agent: it works until ctx ends. Then it takes no more
// work, lets what runs go on for DrainGrace, stops what still runs, and returns
// nil when everything is stored or kept. It returns [ErrName] if the name is
// taken, or is taken over later by an agent that started after this one.
func (a *Agent) Run(ctx context.Context) error {
	unlock, err := lockDir(a.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer unlock()
	host := Host{DataDir: a.cfg.DataDir, Grace: a.cfg.Grace, Batchlets: a.batchlets, Log: a.cfg.Log}
	if err := a.cfg.Runtime.Open(host); err != nil { // before there is a connection: it ends what was left running
		return fmt.Errorf("agent: runtime: %w", err)
	}
	if err = a.live(ctx); errors.Is(err, context.Canceled) {
		err = nil // before there was anything to leave
	}
	if closeErr := a.cfg.Runtime.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("runtime: %w", closeErr)
	}
	if err != nil {
		return fmt.Errorf("agent %s: %w", a.cfg.Name, err)
	}
	return nil
}

func (a *Agent) live(ctx context.Context) error {
	l, err := a.newLife(ctx)
	if err != nil {
		return err
	}
	defer l.disconnect()
	return l.live(ctx)
}

// newLife connects, which may take for ever, and prepares all parts.
func (a *Agent) newLife(ctx context.Context) (*life, error) {
	l := &life{cfg: &a.cfg, log: a.cfg.Log, started: time.Now(), attempts: map[*attempt]bool{}}
	dir := ""
	if a.cfg.DataDir != "" {
		dir = filepath.Join(a.cfg.DataDir, "results")
	}
	var err error
	if l.outbox, err = openOutbox(dir, a.cfg.Log); err != nil {
		return nil, err
	}
	if err := l.connect(ctx); err != nil {
		return nil, err
	}
	l.prepare()
	return l, nil
}
