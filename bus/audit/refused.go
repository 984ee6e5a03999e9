package audit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Requests that were refused have a row each while there are few. They change
// nothing, and anybody can send as many as they like: without a limit they would
// fill the disk. Those without a login count apart, so that nobody without one
// can hide the refused requests of a user.
const (
	refusedBurst = 100              // rows at once
	refusedEvery = time.Second      // one more row in each
	omittedEvery = 10 * time.Second // between rows with the number of those without a row
)

// refusals limits the rows of refused requests.
type refusals struct {
	mu            sync.Mutex
	users, nobody allowance
	omitted       atomic.Int64
}

// allowance is a number of rows that grows with time.
type allowance struct {
	used float64
	at   time.Time
}

// take takes a row, or returns false if none is left.
func (a *allowance) take(now time.Time) bool {
	a.used = max(0, a.used-now.Sub(a.at).Seconds()/refusedEvery.Seconds())
	a.at = now
	if a.used+1 > refusedBurst {
		return false
	}
	a.used++
	return true
}

// AppendRefused appends the row of a request that changed nothing, and does not
// wait for it. If there were too many such requests, or too many rows wait, it
// only counts the request.
func (l *Log) AppendRefused(r Row) {
	if !l.refused.allow(r.User) || !l.takePlace() {
		l.refused.omitted.Add(1)
		return
	}
	l.AppendLater(r)
}

func (f *refusals) allow(user string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if user == Nobody {
		return f.nobody.take(time.Now())
	}
	return f.users.take(time.Now())
}

// runRefused appends rows with the number of requests without a row, until ctx
// ends.
func (l *Log) runRefused(ctx context.Context) {
	tick := time.NewTicker(omittedEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.recordOmitted()
		case <-ctx.Done():
			l.recordOmitted()
			return
		}
	}
}

// recordOmitted appends a row with the number of requests without a row, if
// there are any.
func (l *Log) recordOmitted() {
	n := l.refused.omitted.Load()
	if n == 0 || !l.takePlace() { // the next round has them
		return
	}
	l.refused.omitted.Add(-n)
	l.AppendLater(Row{User: Bus, Action: omittedRows, Kind: "audit", Omitted: n})
}
