package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
)

// Config of a [Deployer].
type Config struct {
	Bus     *bus.Bus
	Objects *objects.Store // of jars and manifests
	Builtin []Component    // what every application can name; their origin is [BuiltIn] unless they say another
	TempDir string         // where jars lie while they are read; default the system's
	Log     *slog.Logger   // default: the bus's
}

// Deployer deploys applications and knows their components.
type Deployer struct {
	b       *bus.Bus
	objects *objects.Store
	tempDir string
	log     *slog.Logger
	known   known
	scans   chan struct{} // one at a time: each has what it has in memory for itself
	seen    sight         // of the sweeps
}

// New returns a Deployer. Until [Deployer.Run] has begun it knows only the
// components of what it deployed itself.
func New(cfg Config) (*Deployer, error) {
	d := &Deployer{b: cfg.Bus, objects: cfg.Objects, tempDir: cfg.TempDir, log: cfg.Log, scans: make(chan struct{}, 1)}
	if d.b == nil || d.objects == nil {
		return nil, errors.New("deploy: Config.Bus or Config.Objects is missing")
	}
	if d.tempDir == "" {
		d.tempDir = os.TempDir()
	}
	switch st, err := os.Stat(d.tempDir); {
	case err != nil:
		return nil, fmt.Errorf("deploy: Config.TempDir: %w", err)
	case !st.IsDir():
		return nil, fmt.Errorf("deploy: Config.TempDir %s is no folder", d.tempDir)
	}
	if d.log == nil {
		d.log = d.b.Log
	}
	d.known.init(cfg.Builtin)
	return d, nil
}

// Run follows what is deployed, here and by other buses, and takes away what
// nobody names any more, until ctx ends.
func (d *Deployer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.follow(ctx) })
	g.Go(func() error { return d.load(ctx) })
	g.Go(func() error { return d.sweepOften(ctx) })
	return g.Wait()
}

// WaitReady waits until the components of what was deployed when Run began are
// known. One revision that cannot be read holds nobody up: its application has
// those of before, or none, until it can.
func (d *Deployer) WaitReady(ctx context.Context) error {
	select {
	case <-d.known.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the components of applications: %w", ctx.Err())
	}
}

// sweepEvery is how often a bus looks for what nobody names.
const sweepEvery = 15 * time.Minute

func (d *Deployer) sweepOften(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if _, err := d.sweepDue(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("not all of what nobody deploys any more could be removed, trying again", "err", err)
		}
	}
}
