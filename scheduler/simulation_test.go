package scheduler

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// seedEnv is the environment variable with the seed of a simulation to repeat.
const seedEnv = "JOBSTREAMER_TEST_SEED"

// simSeed returns the seed of this run, and prints it: a random one, unless the
// environment has another.
func simSeed(t *testing.T) uint64 { return seedOr(t, rand.Uint64()) }

func seedOr(t *testing.T, seed uint64) uint64 {
	if text := os.Getenv(seedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s=%s is no number: %v", seedEnv, text, err)
		}
	}
	t.Logf("repeat this run with %s=%d", seedEnv, seed)
	return seed
}

// simResults are the results of a simulation.
type simResults struct {
	decided, fired, missing, extra, different int
	faults                                    []string
}

// simExpectation returns what should be decided about a schedule, and what is
// wrong with what was decided, whatever it should be.
type simExpectation func(sc *simSchedule, is *simStore) (want *simStore, faults []string)

// expectRules expects what the plain rules decide.
func expectRules(w *simWorld) simExpectation {
	return func(sc *simSchedule, is *simStore) (*simStore, []string) {
		rules := newSimRules(w, sc)
		return runSchedule(w, sc, rules), rules.undecided(is)
	}
}

// expectOnce is expectRules for several simulations of one world. It computes
// what should be decided about a schedule once.
func expectOnce(w *simWorld) simExpectation {
	var known sync.Map
	return func(sc *simSchedule, _ *simStore) (*simStore, []string) {
		want, ok := known.Load(sc.number)
		if !ok {
			want, _ = known.LoadOrStore(sc.number, runSchedule(w, sc, newSimRules(w, sc)))
		}
		return want.(*simStore), nil
	}
}

// simulate takes schedules through a world and compares what the scheduler
// decides with what should be decided. It ends early once limit schedules have
// faults.
func simulate(w *simWorld, limit int, f simFunctions, expect simExpectation) (all simResults) {
	var mu sync.Mutex
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)); i <= simSchedules; i = int(next.Add(1)) {
				sc := randomSimSchedule(w, i)
				is := runSchedule(w, sc, newSimScheduler(w, sc, f))
				want, undecided := expect(sc, is)
				mu.Lock()
				all.compare(sc, is, want, w.to-simHour, undecided)
				if len(all.faults) >= limit {
					next.Store(simSchedules)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return all
}

// compare compares what was decided about a schedule with what should have been
// decided. A fire of later than settled may lack its execution: a bus that failed
// makes it up at a renewal of the lease, and the world can end before that.
func (all *simResults) compare(sc *simSchedule, is, want *simStore, settled simMillis, faults []string) {
	all.missing += len(faults)
	add := func(count *int, format string, args ...any) {
		*count++
		faults = append(faults, fmt.Sprintf(format, args...))
	}
	for _, second := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(is.seconds, want.seconds)))) {
		a, b := is.fires[second], want.fires[second]
		switch {
		case a == nil:
			add(&all.missing, "missing: %v", b)
		case b == nil:
			add(&all.extra, "extra: %v", a)
		case a.String() != b.String():
			add(&all.different, "%v, want %v", a, b)
		}
	}
	executions := 0
	for _, f := range is.fires {
		all.decided++
		if f.Skipped != "" {
			continue
		}
		all.fired++
		executions++
		if keys := is.executions[f.Execution]; len(keys) == 0 {
			if f.created > settled {
				continue
			}
			add(&all.missing, "no execution: %v", f)
		} else if !slices.Equal(keys, []int64{f.second}) {
			add(&all.extra, "the execution of other times as well: %v", f)
		}
	}
	if n := len(is.executions); n > executions {
		add(&all.extra, "%d executions of %d fires", n, executions)
	}
	if len(faults) > 0 {
		all.faults = append(all.faults, fmt.Sprintf("schedule %d: %s\n%s", sc.number, faults[0], sc.describe()))
	}
}

// TestSimulation takes 1,000 schedules through a year of outages, edits, pauses
// and changes of calendars. Buses fail and lead at the same time.
func TestSimulation(t *testing.T) {
	w := newSimWorld(simSeed(t), 366)
	all := simulate(w, 10, schedulerFunctions(), expectRules(w))
	t.Logf("from %s on: %d nominal times decided, %d of them fired; %d missing, %d extra, %d different",
		simText(w.from), all.decided, all.fired, all.missing, all.extra, all.different)
	for _, f := range all.faults {
		t.Error(f)
	}
}

// TestSimulationFindsMistakes puts a mistake into the functions that decide, and
// looks whether a simulation finds it.
func TestSimulationFindsMistakes(t *testing.T) {
	if simSchedules < 1000 {
		t.Skip("a small simulation does not find all of them")
	}
	seed := seedOr(t, 2) // it finds the rarest of them soon
	right := schedulerFunctions()
	var worlds []*simWorld
	var expect []simExpectation
	for _, tt := range []struct {
		name   string
		change func(f *simFunctions)
	}{
		{"a walk begins at the newest key of any generation", func(f *simFunctions) {
			f.walkStart = func(l *ledger, sc *bus.Schedule, p *plan) time.Time {
				start := right.walkStart(l, sc, p)
				for _, newest := range l.marks[sc.Key()] {
					if t := time.Unix(newest.second, 0); t.After(start) {
						start = t
					}
				}
				return start
			}
		}},
		{"after an outage a walk begins when the bus started", func(f *simFunctions) {
			f.decisions = func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
				if at.downUntil.After(start) {
					start = at.downUntil
				}
				return right.decisions(p, sc, start, at)
			}
		}},
		{"an edit does not decide what was due before it", func(f *simFunctions) {
			f.nextSince = func(was *bus.Schedule, now subjects.Time, o occasion) (subjects.Time, bool) {
				since, _ := right.nextSince(was, now, o)
				return since, false
			}
		}},
		{"a resumption with catch_up begins at its own moment", func(f *simFunctions) {
			f.nextSince = func(was *bus.Schedule, now subjects.Time, _ occasion) (subjects.Time, bool) {
				return right.nextSince(was, now, atEdit)
			}
		}},
		{"a walk ignores when a calendar changed", func(f *simFunctions) {
			f.walkStart = func(l *ledger, sc *bus.Schedule, p *plan) time.Time {
				if p.calendar != nil {
					c, q := *p.calendar, *p
					c.Since = time.Time{}
					q.calendar = &c
					p = &q
				}
				return right.walkStart(l, sc, p)
			}
		}},
		{"a resumption does not skip the times of the pause", func(f *simFunctions) {
			f.decisions = func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
				if !sc.Active {
					return func(func(outcome) bool) {}
				}
				return right.decisions(p, sc, start, at)
			}
		}},
		{"a walk skips the times of a pause that goes on", func(f *simFunctions) {
			f.decisions = func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
				if !sc.Active {
					at.occasion = atEdit
				}
				return right.decisions(p, sc, start, at)
			}
		}},
		{"a walk ignores the pauses of groups", func(f *simFunctions) {
			f.decisions = func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
				at.pauses = nil
				return right.decisions(p, sc, start, at)
			}
		}},
		{"the end of one of two pauses makes up for both", func(f *simFunctions) {
			f.decisions = func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
				at.pauses = slices.Clone(at.pauses)
				for i := range at.pauses {
					if next := i + 1; next < len(at.pauses) && at.pauses[next].from.Equal(at.pauses[i].to) {
						at.pauses[i].catchUp = at.pauses[i].catchUp || at.pauses[next].catchUp
					}
				}
				return right.decisions(p, sc, start, at)
			}
		}},
		{"times that passed while no bus ran are no misfires", func(f *simFunctions) {
			f.decisions = func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
				at.downUntil = time.Time{}
				return right.decisions(p, sc, start, at)
			}
		}},
		{"times that passed while nobody led are on time", func(f *simFunctions) {
			f.decisions = func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
				at.unledUntil = time.Time{}
				return right.decisions(p, sc, start, at)
			}
		}},
		{"a moved time fires again after a change of its calendar", func(f *simFunctions) {
			f.sources = func(*plan, *bus.Schedule, time.Time) []time.Time { return nil }
		}},
		{"a bus fires although the key exists", func(f *simFunctions) {
			f.create = func(s *simStore, fire bus.Fire, b int, at simMillis) (*simFire, bool) {
				stored, created := right.create(s, fire, b, at)
				if !created && fire.Skipped == "" {
					s.lastID++
					s.submit(s.lastID, stored.second)
				}
				return stored, created
			}
		}},
		{"an open fire is finished with an execution of its own", func(f *simFunctions) {
			f.executions = func(_ *bus.Fire, s *simStore) int64 { s.lastID++; return s.lastID }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := right
			tt.change(&f)
			for year := range 10 {
				if year == len(worlds) {
					worlds = append(worlds, newSimWorld(seed+uint64(year), 366))
					expect = append(expect, expectOnce(worlds[year]))
				}
				if all := simulate(worlds[year], 1, f, expect[year]); len(all.faults) > 0 {
					t.Logf("found in year %d by %s", year, all.faults[0])
					return
				}
			}
			t.Error("not found in 10 years")
		})
	}
}

// String returns the decision without the id of the execution.
func (f *simFire) String() string {
	is := f.Fire
	text := fmt.Sprintf("%v of generation %d", is.Nominal, is.Generation)
	if is.Skipped != "" {
		text += " skipped " + is.Skipped
	} else {
		text += " fired for " + is.Date
	}
	if is.CaughtUp {
		text += " caught up"
	}
	if is.From != 0 {
		text += fmt.Sprintf(" moved from %v", is.From)
	}
	if is.SkippedCount != 0 {
		text += fmt.Sprintf(" with %d times from %v", is.SkippedCount, is.SkippedFrom)
	}
	return text
}

// describe returns what people do to the schedule.
func (s *simSchedule) describe() string {
	var text strings.Builder
	for _, e := range s.edits {
		fmt.Fprintf(&text, "\t%s bus %d: %s", simText(e.at), e.bus, e.what)
		if e.def != nil {
			fmt.Fprintf(&text, " %+v", describeSchedule(&e.def.Schedule))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func simText(at simMillis) string { return subjects.Time(at).String() }

func describeSchedule(sc *bus.Schedule) string {
	text, _ := json.Marshal(sc)
	return string(text)
}
