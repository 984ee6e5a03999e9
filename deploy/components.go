package deploy

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/deploy/classfile"
)

// Component is a class that jobs can name, or a built-in component.
type Component struct {
	Class       string   `json:"class"`
	Ref         string   `json:"ref"` // the name that jobs use
	Aliases     []string `json:"aliases,omitempty"`
	Kinds       []string `json:"kinds"`                 // see [classfile.Kind]
	Listens     []string `json:"listens,omitempty"`     // events of a listener
	Namespace   string   `json:"namespace,omitempty"`   // javax or jakarta
	Origin      string   `json:"origin"`                // [BuiltIn], or the jar's name
	Constructor string   `json:"constructor,omitempty"` // see [classfile.Constructor]
}

// BuiltIn is the origin of components that are on no class path.
const BuiltIn = "built-in"

func newComponent(c *classfile.Component) Component {
	all := Component{
		Class: c.Class, Ref: c.Ref, Aliases: c.Aliases, Listens: c.Listens, Namespace: c.Namespace, Origin: c.Origin,
		Constructor: string(c.Constructor),
	}
	for _, k := range c.Kinds {
		all.Kinds = append(all.Kinds, string(k))
	}
	return all
}

// componentCache holds the components of the current revisions.
type componentCache struct {
	builtin []Component
	ready   chan struct{}
	wake    chan struct{}

	mu       sync.RWMutex
	apps     map[string]*cachedApp
	stale    map[string]bool // applications whose current revision must be read
	complete bool            // stale had all applications that existed when the watch began
}

// cachedApp is the current revision of one application.
type cachedApp struct {
	rev        uint64 // KV revision of the pointer
	number     int    // of the current revision; 0: none
	classpath  []string
	components []Component
}

func (k *componentCache) initCache(builtin []Component) {
	k.builtin = slices.Clone(builtin)
	for i := range k.builtin {
		k.builtin[i].Origin = cmp.Or(k.builtin[i].Origin, BuiltIn)
	}
	slices.SortStableFunc(k.builtin, byClass)
	k.ready, k.wake = make(chan struct{}), make(chan struct{}, 1)
	k.apps, k.stale = map[string]*cachedApp{}, map[string]bool{}
}

func byClass(a, b Component) int { return strings.Compare(a.Class, b.Class) }

// putRevision caches the current revision, unless the cache has a newer one.
func (k *componentCache) putRevision(app string, rev uint64, number int, m *manifest) {
	own := slices.Clone(m.Components)
	slices.SortStableFunc(own, byClass)
	all := append(slices.Clip(k.builtin), own...)
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.apps[app]; c == nil || rev > c.rev {
		k.apps[app] = &cachedApp{rev, number, m.classpathEntries(), all}
	}
}

// componentsOf returns the components of an application, and whether it has a
// class path.
func (k *componentCache) componentsOf(app string) (all []Component, deployed bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if c := k.apps[app]; c != nil {
		return c.components, c.number > 0
	}
	return k.builtin, false
}

// Components returns the components that jobs of an application can name: first
// the built-in ones, then those of its current revision, each sorted by class.
// The slice is shared; the caller must not change it.
func (d *Deployer) Components(app string) []Component {
	all, _ := d.cache.componentsOf(app)
	return all
}

// Classpath returns the entries of the application's current revision: for each
// jar the URL that it was read from, or its name.
func (d *Deployer) Classpath(app string) []string {
	d.cache.mu.RLock()
	defer d.cache.mu.RUnlock()
	if c := d.cache.apps[app]; c != nil {
		return c.classpath
	}
	return nil
}

// watchDeployed marks applications whose current revision changes.
func (d *Deployer) watchDeployed(ctx context.Context) error {
	k := &d.cache
	changed := func(app string, _ *bus.Deployed, rev uint64) { k.markChanged(app, rev) }
	return bus.RetryWatch(ctx, func() error { return d.b.Deployed.WatchKeys(ctx, "*", changed, k.markComplete) })
}

func (k *componentCache) markChanged(app string, rev uint64) {
	k.mu.Lock()
	if c := k.apps[app]; c == nil || rev > c.rev {
		k.stale[app] = true
	}
	k.mu.Unlock()
	k.wakeLoader()
}

// markFailed marks an application whose components must be read again later.
func (k *componentCache) markFailed(app string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale[app] = true
}

func (k *componentCache) markComplete() {
	k.mu.Lock()
	k.complete = true
	k.mu.Unlock()
	k.wakeLoader()
}

func (k *componentCache) wakeLoader() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// drainStale returns the applications whose components must be read, and clears
// the set. It also reports whether the watch has delivered all applications
// that existed when it began.
func (k *componentCache) drainStale() (apps []string, full bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for app := range k.stale {
		apps = append(apps, app)
	}
	clear(k.stale)
	return apps, k.complete
}

// Bounds of the exponential backoff after a round with a failed read.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// loadChanged reads the components of current revisions that changed, until ctx
// ends.
func (d *Deployer) loadChanged(ctx context.Context) error {
	var again <-chan time.Time
	pause := firstPause
	once := sync.OnceFunc(func() { close(d.cache.ready) })
	for {
		select {
		case <-d.cache.wake:
		case <-again:
		case <-ctx.Done():
			return nil
		}
		apps, full := d.cache.drainStale()
		again = nil
		failed := false
		for _, app := range apps {
			if err := d.loadApp(ctx, app); err != nil && ctx.Err() == nil {
				d.log.Warn("components not loaded, retrying", "app", app, "err", err)
				d.cache.markFailed(app)
				failed = true
			}
		}
		if failed {
			again = time.After(pause)
			pause = min(2*pause, lastPause)
		} else {
			pause = firstPause
		}
		if full {
			once()
		}
	}
}

func (d *Deployer) loadApp(ctx context.Context, app string) error {
	head, err := d.readDeployed(ctx, app)
	if err != nil {
		return err
	}
	m := &manifest{}
	if n := head.Value.Current; n > 0 {
		r, err := d.readRevision(ctx, app, n)
		if err != nil {
			return err
		}
		m = &r.manifest
	}
	d.cache.putRevision(app, head.Revision, head.Value.Current, m)
	return nil
}
