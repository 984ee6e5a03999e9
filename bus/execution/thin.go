package execution

import (
	"context"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// A step may commit many times a second for hours. Its results are purged while
// it runs, once the record and the bucket step_data have what they say. The
// newest ones stay: the last is the fence, and other consumers of RESULTS get a
// minute to read them.
const (
	thinAfter = 1000     // results of an execution since the last purge
	thinBytes = 32 << 20 // of what its steps keep in them
	thinDelay = time.Minute
)

// thinning counts the results of a running execution that can be purged.
type thinning struct {
	results, bytes int
	before         uint64 // results before this one can be purged after at; 0: none
	at             time.Time
}

// thinResults purges results of a running execution after its record e was
// written with more of them, if there are many. p.mu is held.
func (p *projector) thinResults(t *track, e *bus.Execution, written []pendingResult) {
	now := time.Now()
	t.thin.results += len(written)
	for _, r := range written {
		t.thin.bytes += keptBytes(r.Steps)
	}
	switch {
	case !e.BatchStatus.Running():
	case t.thin.before == 0 && (t.thin.results >= thinAfter || t.thin.bytes >= thinBytes):
		t.thin = thinning{before: e.LastSequence, at: now.Add(thinDelay)}
	case t.thin.before != 0 && now.After(t.thin.at):
		go p.purgeBefore(e, t.thin.before)
		t.thin.before = 0
	}
}

// purgeBefore purges the results of an execution before a sequence.
func (p *projector) purgeBefore(e *bus.Execution, sequence uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout)
	defer cancel()
	if err := p.b.PurgeResultsBefore(ctx, e.App, e.Job, e.ID, sequence); err != nil {
		p.b.Log.Warn("results of a running execution not purged", "app", e.App, "job", e.Job, "execution", e.ID, "err", err)
	}
}
