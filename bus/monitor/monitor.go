package monitor

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// every is the time between two samples of an agent.
const every = time.Minute

// atOnce is how many agents are written at the same time: few, executions go
// first.
const atOnce = 4

// Agents knows what agents said last.
type Agents interface {
	Agents() []execution.AgentInfo
}

// Monitor samples agents and keeps the averages.
type Monitor struct {
	bus    *bus.Bus
	agents Agents
	steps  map[string]*steps // by agent; only the round has it
}

// New returns a Monitor. It samples when Run does.
func New(b *bus.Bus, agents Agents) *Monitor {
	return &Monitor{bus: b, agents: agents, steps: map[string]*steps{}}
}

// Run samples, while this bus is the one that does, until ctx ends.
func (m *Monitor) Run(ctx context.Context) error { return m.bus.Chore(ctx, "monitor", every, m.round) }

// Samples reads what an archive has of an agent: nothing, if nothing was kept
// yet.
func (m *Monitor) Samples(ctx context.Context, agent string, a Archive) (bus.Samples, error) {
	if !subjects.ValidName(agent) { // see round
		return bus.Samples{}, nil
	}
	e, err := m.bus.Samples.Get(ctx, bus.SamplesKey(agent, a.Name))
	if errors.Is(err, bus.ErrNotFound) {
		return bus.Samples{}, nil
	}
	return e.Value, err
}

// round takes a sample of each agent, and writes the steps that are over.
func (m *Monitor) round(ctx context.Context) error {
	now, length := time.Now(), Archives()[0].Step
	for _, a := range m.agents.Agents() {
		if name := a.Heartbeat.Agent; a.Alive && subjects.ValidName(name) {
			if m.steps[name] == nil {
				m.steps[name] = &steps{}
			}
			m.steps[name].add(now, length, sampleOf(&a.Stats))
		}
	}
	var g errgroup.Group // one that fails does not keep the others from being written
	g.SetLimit(atOnce)
	for name, s := range m.steps {
		s.turn(now, length) // of one that is gone too
		switch {
		case len(s.over) > 0:
			g.Go(func() error { return m.write(ctx, name, s) })
		case s.empty():
			delete(m.steps, name)
		}
	}
	return g.Wait()
}

// write brings an agent's archives up to its steps that are over. The coarser
// ones are looked at when one of their steps may be over, and all of them at
// first: nobody knows what the bus of before has done.
func (m *Monitor) write(ctx context.Context, agent string, s *steps) error {
	all, end := Archives(), s.over[len(s.over)-1].end
	fine, err := m.change(ctx, agent, all[0], func(v *bus.Samples) {
		for _, o := range s.over {
			all[0].put(v, o.end, o.of)
		}
	})
	if err != nil {
		return err
	}
	for _, a := range all[1:] {
		if s.wrote.Truncate(a.Step).Equal(end.Truncate(a.Step)) {
			break
		}
		if fine, err = m.change(ctx, agent, a, func(v *bus.Samples) { a.consolidate(v, fine) }); err != nil {
			return err
		}
	}
	s.over, s.wrote = nil, end
	return nil
}

// change writes what do makes of an archive, unless that is what is there.
func (m *Monitor) change(ctx context.Context, agent string, a Archive, do func(*bus.Samples)) (*bus.Samples, error) {
	key := bus.SamplesKey(agent, a.Name)
	for {
		e, err := m.bus.Samples.Get(ctx, key)
		none := errors.Is(err, bus.ErrNotFound)
		if err != nil && !none {
			return nil, err
		}
		v := e.Value
		forget(&v, time.Now().Add(a.Step)) // clocks of two buses may differ a little
		do(&v)
		switch {
		case v.End == e.Value.End:
			return &v, nil
		case none:
			_, err = m.bus.Samples.Create(ctx, key, v)
		default:
			_, err = m.bus.Samples.Update(ctx, key, v, e.Revision)
		}
		if !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrExists) {
			return &v, err
		}
	}
}
