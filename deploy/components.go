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

// Component is a class that jobs can name, or something built in.
type Component struct {
	Class       string   `json:"class"`
	Ref         string   `json:"ref"` // the name that jobs use
	Aliases     []string `json:"aliases,omitempty"`
	Kinds       []string `json:"kinds"`                 // see [classfile.Kind]
	Listens     []string `json:"listens,omitempty"`     // what a listener listens to
	Namespace   string   `json:"namespace,omitempty"`   // javax or jakarta
	Origin      string   `json:"origin"`                // [BuiltIn], or the jar's name
	Constructor string   `json:"constructor,omitempty"` // see [classfile.Constructor]
}

// BuiltIn is the origin of what is on no class path.
const BuiltIn = "built-in"

func component(c *classfile.Component) Component {
	all := Component{
		Class: c.Class, Ref: c.Ref, Aliases: c.Aliases, Listens: c.Listens, Namespace: c.Namespace, Origin: c.Origin,
		Constructor: string(c.Constructor),
	}
	for _, k := range c.Kinds {
		all.Kinds = append(all.Kinds, string(k))
	}
	return all
}

// known are the components of the current revisions.
type known struct {
	builtin []Component
	ready   chan struct{}
	wake    chan struct{}

	mu    sync.RWMutex
	apps  map[string]*currently
	stale map[string]bool // whose current revision is to be read
	full  bool            // stale has all that there was when the following began
}

// currently is what an application has.
type currently struct {
	rev        uint64 // of the key that says what is current
	number     int    // of the revision; 0: none
	classpath  []string
	components []Component
}

func (k *known) init(builtin []Component) {
	k.builtin = slices.Clone(builtin)
	for i := range k.builtin {
		k.builtin[i].Origin = cmp.Or(k.builtin[i].Origin, BuiltIn)
	}
	slices.SortStableFunc(k.builtin, byClass)
	k.ready, k.wake = make(chan struct{}), make(chan struct{}, 1)
	k.apps, k.stale = map[string]*currently{}, map[string]bool{}
}

func byClass(a, b Component) int { return strings.Compare(a.Class, b.Class) }

// put takes in what is current, unless something newer is known.
func (k *known) put(app string, rev uint64, number int, m *manifest) {
	own := slices.Clone(m.Components)
	slices.SortStableFunc(own, byClass)
	all := append(slices.Clip(k.builtin), own...)
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.apps[app]; c == nil || rev > c.rev {
		k.apps[app] = &currently{rev, number, m.classpath(), all}
	}
}

// of returns what an application has, and whether anything is deployed.
func (k *known) of(app string) (all []Component, deployed bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if c := k.apps[app]; c != nil {
		return c.components, c.number > 0
	}
	return k.builtin, false
}

// Components are what jobs of an application can name: first what is built in,
// then what its current revision has, each by class. They are shared: change
// nothing.
func (d *Deployer) Components(app string) []Component {
	all, _ := d.known.of(app)
	return all
}

// Classpath is what the application's current revision was made of: for each
// jar the URL that it was read from, or its name.
func (d *Deployer) Classpath(app string) []string {
	d.known.mu.RLock()
	defer d.known.mu.RUnlock()
	if c := d.known.apps[app]; c != nil {
		return c.classpath
	}
	return nil
}

// follow notes whose current revision changes.
func (d *Deployer) follow(ctx context.Context) error {
	k := &d.known
	note := func(app string, _ *bus.Deployed, rev uint64) { k.note(app, rev) }
	return bus.Anew(ctx, func() error { return d.b.Deployed.WatchKeys(ctx, "*", note, k.filled) })
}

func (k *known) note(app string, rev uint64) {
	k.mu.Lock()
	if c := k.apps[app]; c == nil || rev > c.rev {
		k.stale[app] = true
	}
	k.mu.Unlock()
	k.signal()
}

// failed notes that an application's components are to be read later.
func (k *known) failed(app string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stale[app] = true
}

func (k *known) filled() {
	k.mu.Lock()
	k.full = true
	k.mu.Unlock()
	k.signal()
}

func (k *known) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// take returns whose components are to be read.
func (k *known) take() (apps []string, full bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for app := range k.stale {
		apps = append(apps, app)
	}
	clear(k.stale)
	return apps, k.full
}

// After a round in which something could not be read the next one comes so much
// later, twice as late each time.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// load reads the components of current revisions that changed.
func (d *Deployer) load(ctx context.Context) error {
	var again <-chan time.Time
	pause := firstPause
	once := sync.OnceFunc(func() { close(d.known.ready) })
	for {
		select {
		case <-d.known.wake:
		case <-again:
		case <-ctx.Done():
			return nil
		}
		apps, full := d.known.take()
		again = nil
		failed := false
		for _, app := range apps {
			if err := d.loadOne(ctx, app); err != nil && ctx.Err() == nil {
				d.log.Warn("components cannot be read, trying again", "app", app, "err", err)
				d.known.failed(app)
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

func (d *Deployer) loadOne(ctx context.Context, app string) error {
	head, err := d.deployed(ctx, app)
	if err != nil {
		return err
	}
	m := &manifest{}
	if n := head.Value.Current; n > 0 {
		r, err := d.read(ctx, app, n)
		if err != nil {
			return err
		}
		m = &r.manifest
	}
	d.known.put(app, head.Revision, head.Value.Current, m)
	return nil
}
