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

// maxInterval is the longest interval between heartbeats. A request may be held
// for MaxHold, counted from the last heartbeat before it arrived; this leaves
// time to claim it.
const maxInterval = subjects.MaxHold * time.Second / 3

// Config configures an agent. Apps and Runtime are required; the zero value of
// every other field stands for its default.
type Config struct {
	// Conn is the connection to use. It should have ReconnectBufSize(-1) and,
	// for a NATS that confines the agent, CustomInboxPrefix("_INBOX."+Name). It
	// stays open when Run returns. If it is nil, Run connects to URL (default
	// nats.DefaultURL) with Options (credentials, TLS) and closes that
	// connection in the end.
	Conn    *nats.Conn
	URL     string
	Options []nats.Option

	Name    string   // unique among live agents; default: derived from the host's name
	Apps    []string // applications whose jobs it runs; at least one
	Pools   []string // default: subjects.DefaultPool
	Slots   int      // maximum number of concurrent executions; default: the number of cores
	Version string   // of your program, shown in heartbeats

	Interval   time.Duration // between two heartbeats; default 2 s, at most 10 s
	Grace      time.Duration // between asking a body to stop and ending it by force; default 10 s
	DrainGrace time.Duration // between the end of Run's context and stopping what still runs; default 15 s

	// DataDir is the folder for data that must survive a restart. Each agent
	// needs its own. If it is empty, results that could not be stored before
	// the agent ends are lost, and processes of a killed agent are not found
	// again.
	DataDir string

	Runtime Runtime      // runs jobs
	Log     *slog.Logger // default: slog.Default()
}

// Option changes an agent while [New] creates it.
type Option func(*Agent) error

// Batchlet registers f under ref, the name by which a job's JSL refers to it.
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

// setDefaults fills in the defaults and validates the result.
func (c *Config) setDefaults() error {
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
	c.Apps = sortedUnique(c.Apps)
	if c.Pools = sortedUnique(c.Pools); len(c.Pools) == 0 {
		c.Pools = []string{subjects.DefaultPool}
	}
	return c.validate()
}

func (c *Config) validate() error {
	switch {
	case !subjects.ValidName(c.Name):
		return fmt.Errorf("Name %q: want %s", c.Name, subjects.NamePattern)
	case c.Name == subjects.Bus:
		return fmt.Errorf("Name %q is reserved for the control bus", c.Name)
	case len(c.Apps) == 0:
		return errors.New("Apps: want at least one application")
	case c.Slots < 1:
		return fmt.Errorf("Slots %d: want a number from 1", c.Slots)
	case c.Interval < 10*time.Millisecond, c.Interval > maxInterval:
		return fmt.Errorf("Interval %v: want 10ms to %v", c.Interval, maxInterval)
	case c.Runtime == nil:
		return errors.New("Runtime: want a runtime, such as native.New")
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

// ValidName derives a valid agent name from any text, such as a host's name. It
// replaces each invalid character by a dash.
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

func sortedUnique(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
