package samples

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sampleEvery is the time between two samples of an agent.
const sampleEvery = time.Minute

// maxWriters is how many agents' archives are written at the same time. It is
// low because executions take precedence.
const maxWriters = 4

// Agents is the part of the bus that knows the agents and their heartbeats.
type Agents interface {
	List() []agents.Info
}

// Sampler samples the agents and writes the averages to their archives.
type Sampler struct {
	bus     *bus.Bus
	agents  Agents
	pending map[string]*pendingSteps // by agent; used by sampleAll only
}

// New returns a Sampler. Call [Sampler.Run] to start it.
func New(b *bus.Bus, agents Agents) *Sampler {
	return &Sampler{bus: b, agents: agents, pending: map[string]*pendingSteps{}}
}

// Run samples while this bus holds the lease, until ctx ends.
func (m *Sampler) Run(ctx context.Context) error {
	return m.bus.RunLeasedTask(ctx, "monitor", sampleEvery, m.sampleAll)
}

// Samples returns an agent's archive. It is empty if nothing was stored yet.
func (m *Sampler) Samples(ctx context.Context, agent string, a Archive) (bus.Samples, error) {
	if !subjects.ValidName(agent) { // sampleAll stores none for such a name
		return bus.Samples{}, nil
	}
	e, err := m.bus.Samples.Get(ctx, bus.SamplesKey(agent, a.Name))
	if errors.Is(err, bus.ErrNotFound) {
		return bus.Samples{}, nil
	}
	return e.Value, err
}

// sampleAll takes a sample of each agent, and writes the steps that have ended.
func (m *Sampler) sampleAll(ctx context.Context) error {
	now, length := time.Now(), Archives()[0].Step
	for _, a := range m.agents.List() {
		if name := a.Heartbeat.Agent; a.Alive && subjects.ValidName(name) {
			if m.pending[name] == nil {
				m.pending[name] = &pendingSteps{}
			}
			m.pending[name].addSample(now, length, sampleOf(&a.Stats))
		}
	}
	var g errgroup.Group // a failed write must not stop the others
	g.SetLimit(maxWriters)
	for name, s := range m.pending {
		s.finishStep(now, length) // also for an agent that is gone
		switch {
		case len(s.finished) > 0:
			g.Go(func() error { return m.writeArchives(ctx, name, s) })
		case s.isEmpty():
			delete(m.pending, name)
		}
	}
	return g.Wait()
}

// writeArchives writes an agent's finished steps to its archives. It updates a
// coarser archive only when one of its steps may have ended. After a start it
// updates all of them, because it does not know what the previous bus has
// written.
func (m *Sampler) writeArchives(ctx context.Context, agent string, s *pendingSteps) error {
	all, end := Archives(), s.finished[len(s.finished)-1].end
	fine, err := m.changeArchive(ctx, agent, all[0], func(v *bus.Samples) {
		for _, o := range s.finished {
			all[0].addStep(v, o.end, o.sample)
		}
	})
	if err != nil {
		return err
	}
	for _, a := range all[1:] {
		if s.written.Truncate(a.Step).Equal(end.Truncate(a.Step)) {
			break
		}
		if fine, err = m.changeArchive(ctx, agent, a, func(v *bus.Samples) { a.consolidate(v, fine) }); err != nil {
			return err
		}
	}
	s.finished, s.written = nil, end
	return nil
}

// changeArchive applies do to an archive, and writes it if do added a step.
func (m *Sampler) changeArchive(ctx context.Context, agent string, a Archive, do func(*bus.Samples)) (*bus.Samples, error) {
	var changed bus.Samples
	_, err := m.bus.Samples.Change(ctx, bus.SamplesKey(agent, a.Name), func(was *bus.Samples) (*bus.Samples, error) {
		changed = bus.Samples{}
		if was != nil {
			changed = *was
		}
		end := changed.End
		dropFuture(&changed, time.Now().Add(a.Step)) // clocks of two buses may differ a little
		if do(&changed); changed.End == end {
			return nil, nil
		}
		return &changed, nil
	})
	return &changed, err
}
