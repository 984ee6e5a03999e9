package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
)

// Config of a [Deployer].
type Config struct {
	Bus     *bus.Bus
	Objects *objects.Store // of jars and manifests
	Builtin []Component    // available to every application; default origin [BuiltIn]
	TempDir string         // for jars while they are read; default the system's
	Roots   []string       // folders for class paths of users who may not deploy other folders
	Closed  []string       // folders that are never read for a class path, such as the data of the bus
	Log     *slog.Logger   // default: the bus's

	MaxBytes    int64 // of all stored jars; 0: no limit
	MaxAppBytes int64 // of the jars of one class path; 0: no limit
}

// Deployer deploys applications and keeps a cache of their components.
type Deployer struct {
	b       *bus.Bus
	objects *objects.Store
	tempDir string
	roots   []string // absolute
	closed  closedFolders

	maxBytes, maxAppBytes int64
	storing               atomic.Int64 // bytes of jars that are being stored

	log       *slog.Logger
	cache     componentCache
	scans     chan struct{} // one at a time: each has what it has in memory for itself
	lastSweep sweepState    // of the sweeps
}

// New returns a Deployer. A root that cannot be used is a [bus.FieldError] with
// the path classpath-root. Before [Deployer.Run] starts, it knows only the
// components of revisions that it deployed itself.
func New(cfg Config) (*Deployer, error) {
	d := &Deployer{b: cfg.Bus, objects: cfg.Objects, tempDir: cfg.TempDir, log: cfg.Log, scans: make(chan struct{}, 1), maxBytes: cfg.MaxBytes, maxAppBytes: cfg.MaxAppBytes}
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
		return nil, fmt.Errorf("deploy: Config.TempDir %s is not a folder", d.tempDir)
	}
	if d.log == nil {
		d.log = d.b.Log
	}
	var err error
	if d.closed, err = closeFolders(cfg.Closed); err != nil {
		return nil, err
	}
	for _, dir := range cfg.Roots {
		root, err := filepath.Abs(dir)
		if err == nil {
			err = d.checkRoot(root)
		}
		if err != nil {
			return nil, &bus.FieldError{Path: "classpath-root", Want: "an existing folder that class paths may name", Got: dir + ": " + err.Error()}
		}
		d.roots = append(d.roots, root)
	}
	d.cache.initCache(cfg.Builtin)
	return d, nil
}

// checkRoot returns an error if root is not a folder or lies in a closed one.
func (d *Deployer) checkRoot(root string) error {
	f, st, err := openFile(everywhere{}, root, d.closed)
	if err != nil {
		return err
	}
	defer f.Close()
	if !st.IsDir() {
		return errors.New("it is not a folder")
	}
	return nil
}

// Run keeps the component cache up to date with the deployments of all buses,
// and regularly removes unreferenced jars and records. It blocks until ctx
// ends.
func (d *Deployer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.watchDeployed(ctx) })
	g.Go(func() error { return d.loadChanged(ctx) })
	g.Go(func() error { return d.sweepRegularly(ctx) })
	return g.Wait()
}

// WaitReady blocks until the cache has the components of all applications that
// were deployed when Run began. It does not wait for a revision that cannot be
// read: until a retry succeeds, that application keeps its previous components,
// or has none.
func (d *Deployer) WaitReady(ctx context.Context) error {
	select {
	case <-d.cache.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the components of applications: %w", ctx.Err())
	}
}

// sweepEvery is the interval between two sweeps of a bus.
const sweepEvery = 15 * time.Minute

func (d *Deployer) sweepRegularly(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if _, err := d.sweepIfDue(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("some unreferenced jars or records were not removed, the next sweep retries", "err", err)
		}
	}
}
