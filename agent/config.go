package agent

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxInterval leaves time to claim a request: how long it was held counts from
// the heartbeat before it.
const maxInterval = subjects.MaxHold * time.Second / 3

// Config says what an agent is. Zero values mean the defaults.
type Config struct {
	// Conn is a connection to use; it should have ReconnectBufSize(-1), and is
	// left open. Without it one is made from URL (default nats.DefaultURL) and
	// Options (credentials, TLS), and closed in the end.
	Conn    *nats.Conn
	URL     string
	Options []nats.Option

	Name    string   // one live agent a name; default: the host's name, made valid
	Apps    []string // applications whose work it takes; at least one
	Pools   []string // default: subjects.DefaultPool
	Slots   int      // how many executions at a time; default: the number of cores
	Version string   // of the program, in heartbeats

	Interval   time.Duration // between heartbeats; default 2 s, at most 10 s
	Grace      time.Duration // from a stop until a body is ended by force; default 10 s
	DrainGrace time.Duration // from the end of Run's context until what runs is stopped; default 15 s

	// DataDir keeps what must survive a restart. No two agents may have the
	// same. Empty: nothing is kept, so results that could not be stored before
	// the agent ends are lost, and so are processes of a killed agent.
	DataDir string

	Runtime Runtime      // runs jobs
	Log     *slog.Logger // default: slog.Default()
}

// Option is what a program adds to an agent.
type Option func(*Agent) error

// Batchlet registers a function under the name by which a job refers to it.
func Batchlet(ref string, f BatchletFunc) Option {
	return func(a *Agent) error {
		if ref == "" || f == nil {
			return errors.New("a batchlet needs a name and a function")
		}
		if a.batchlets[ref] != nil {
			return fmt.Errorf("batchlet %s is registered twice", ref)
		}
		a.batchlets[ref] = f
		return nil
	}
}

// fill sets the defaults and says what is wrong.
func (c *Config) fill() error {
	if c.Name == "" {
		host, _ := os.Hostname()
		c.Name = ValidName(host)
	}
	c.URL = cmp.Or(c.URL, nats.DefaultURL)
	c.Slots = cmp.Or(c.Slots, runtime.NumCPU())
	c.Interval = cmp.Or(c.Interval, 2*time.Second)
	c.Grace = cmp.Or(c.Grace, 10*time.Second)
	c.DrainGrace = cmp.Or(c.DrainGrace, 15*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	c.Apps = unique(c.Apps)
	if c.Pools = unique(c.Pools); len(c.Pools) == 0 {
		c.Pools = []string{subjects.DefaultPool}
	}
	return c.check()
}

func (c *Config) check() error {
	switch {
	case !subjects.ValidName(c.Name):
		return fmt.Errorf("Name %q: want %s", c.Name, subjects.NamePattern)
	case c.Name == subjects.Bus:
		return fmt.Errorf("Name %q is the control bus's own", c.Name)
	case len(c.Apps) == 0:
		return errors.New("Apps: want at least one application")
	case c.Slots < 1:
		return fmt.Errorf("Slots %d: want a number from 1", c.Slots)
	case c.Interval < 10*time.Millisecond, c.Interval > maxInterval:
		return fmt.Errorf("Interval %v: want 10ms to %v", c.Interval, maxInterval)
	case c.Runtime == nil:
		return errors.New("Runtime: want what runs the jobs, such as native.New")
	}
	for _, app := range c.Apps {
		if !subjects.ValidName(app) {
			return fmt.Errorf("Apps: %q: want %s", app, subjects.NamePattern)
		}
	}
	for _, pool := range c.Pools {
		if !subjects.ValidName(pool) {
			return fmt.Errorf("Pools: %q: want %s", pool, subjects.NamePattern)
		}
	}
	return nil
}

// ValidName makes an agent's name of any text, such as a host's name: what a
// name must not have becomes a dash.
func ValidName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && subjects.ValidName(string(r)) {
			return r
		}
		return '-'
	}, s)
	s = strings.Trim(s[:min(len(s), 128)], "-")
	return cmp.Or(s, "agent")
}

func unique(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
