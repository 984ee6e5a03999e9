package execution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxLimits is how many limits there may be.
const maxLimits = 1000

// LimitInfo is a limit, and what is held of it.
type LimitInfo struct {
	Name string
	bus.Limit
	Used    int // units
	Waiting int // executions
	Holders []Holder
}

// Holder is an execution that holds a limit.
type Holder struct {
	App, Job string // name of the job; both are empty if the execution is not known yet
	ID       int64
	Units    int
}

// Limits returns all limits, ordered by name. It reads them from the leader, so
// that a client sees its own write on any bus.
func (s *Service) Limits(ctx context.Context) ([]LimitInfo, error) {
	l, _, err := s.limits.read(ctx)
	if err != nil {
		return nil, err
	}
	used, waiting := l.Used(), s.x.LimitWaiters()
	all := map[string]*LimitInfo{}
	for name, limit := range l.Limits {
		all[name] = &LimitInfo{Name: name, Limit: limit, Used: used[name], Waiting: waiting[name]}
	}
	for needs, ids := range l.Held {
		for _, n := range needs.All() {
			limit := all[n.Limit]
			if limit == nil {
				continue
			}
			for id := range ids.All() {
				h := Holder{ID: id, Units: n.Units}
				if sum, ok := s.x.Find(id); ok {
					h.App, h.Job = sum.App, sum.Name
				}
				limit.Holders = append(limit.Holders, h)
			}
		}
	}
	var sorted []LimitInfo
	for _, name := range slices.Sorted(maps.Keys(all)) {
		slices.SortFunc(all[name].Holders, func(a, b Holder) int { return int(a.ID - b.ID) })
		sorted = append(sorted, *all[name])
	}
	return sorted, nil
}

// Limit returns a limit. The error is a StateError no_such_limit if there is
// none.
func (s *Service) Limit(ctx context.Context, name string) (*LimitInfo, error) {
	all, err := s.Limits(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(l LimitInfo) bool { return l.Name == name })
	if i < 0 {
		return nil, noSuchLimit(name)
	}
	return &all[i], nil
}

func noSuchLimit(name string) error {
	return bus.State(bus.CodeNoSuchLimit, "there is no limit %s", name)
}

// SetLimit creates a limit or changes its capacity. Executions that hold more
// than the new capacity keep it; no other gets any until enough is free. created
// is false if the limit existed. The error is a FieldError for an invalid name
// or capacity.
func (s *Service) SetLimit(ctx context.Context, name string, capacity int) (created bool, err error) {
	if !jsl.ValidLimitName(name) {
		return false, &bus.FieldError{Path: "/name", Want: jsl.WantLimitName, Got: strconv.Quote(name)}
	}
	if capacity < 1 || capacity > jsl.MaxUnits {
		return false, &bus.FieldError{Path: "/capacity", Want: fmt.Sprintf("a whole number from 1 to %d", jsl.MaxUnits), Got: strconv.Itoa(capacity)}
	}
	err = s.changeLedger(ctx, func(l *bus.Ledger) error {
		limit, found := l.Limits[name]
		if created = !found; created && len(l.Limits) >= maxLimits {
			return bus.State(bus.CodeLimitInUse, "there are %d limits already, the maximum", maxLimits)
		}
		limit.Capacity, limit.UpdateTime = capacity, subjects.Now()
		if created {
			limit.CreateTime = limit.UpdateTime
		}
		l.Limits[name] = limit
		return nil
	})
	return created, err
}

// DeleteLimit deletes a limit. StateErrors: no_such_limit; limit_in_use if a
// job's definition names it, or an execution holds it or waits for it.
func (s *Service) DeleteLimit(ctx context.Context, name string) error {
	if users := s.x.UsersOf(name); len(users) > 0 {
		more := ""
		if n := len(users) - 5; n > 0 {
			users, more = users[:5], fmt.Sprintf(" and %d more", n)
		}
		return bus.State(bus.CodeLimitInUse, "the limit %s is used by the jobs %s%s", name, strings.Join(users, ", "), more)
	}
	if n := s.x.LimitWaiters()[name]; n > 0 {
		return bus.State(bus.CodeLimitInUse, "%d executions wait for the limit %s", n, name)
	}
	return s.changeLedger(ctx, func(l *bus.Ledger) error {
		if _, found := l.Limits[name]; !found {
			return noSuchLimit(name)
		}
		if n := l.Used()[name]; n > 0 {
			return bus.State(bus.CodeLimitInUse, "executions hold %d of the limit %s", n, name)
		}
		delete(l.Limits, name)
		return nil
	})
}

// changeLedger lets do change the ledger, and writes it by compare-and-set. It
// then grants what the change has made free.
func (s *Service) changeLedger(ctx context.Context, do func(*bus.Ledger) error) error {
	for {
		start := time.Now()
		l, rev, err := s.limits.read(ctx)
		if err != nil {
			return err
		}
		next := l.Clone()
		if err := do(next); err != nil {
			return err
		}
		if err := checkStepTime(start); err != nil {
			return err
		}
		_, err = s.limits.write(ctx, next, rev)
		if errors.Is(err, bus.ErrChanged) {
			continue
		}
		if err == nil {
			s.limits.startRound()
		}
		return err
	}
}
