package samples

import (
	"math"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Archive describes one archive of an agent: averages over steps of equal
// length, kept for a limited time.
type Archive struct {
	Name string
	Step time.Duration // the length of a step
	Span time.Duration // how long a step is kept
}

// Archives returns all archives, the finest first. Each is computed from the
// one before it, and its steps begin and end together with steps of that one.
func Archives() []Archive {
	const day = 24 * time.Hour
	return []Archive{
		{"daily", 5 * time.Minute, day},
		{"weekly", 15 * time.Minute, 7 * day},
		{"monthly", time.Hour, 31 * day},
		{"yearly", 6 * time.Hour, 366 * day},
	}
}

// ArchiveNamed returns the archive with the given name.
func ArchiveNamed(name string) (Archive, bool) {
	all := Archives()
	i := slices.IndexFunc(all, func(a Archive) bool { return a.Name == name })
	if i < 0 {
		return Archive{}, false
	}
	return all[i], true
}

// addStep adds the average of the step that ends at end, and gaps for the
// unknown steps before it. If the step is there already, another bus has
// written it, and its average stays.
func (a Archive) addStep(s *bus.Samples, end time.Time, average bus.Sample) {
	s.Step = int64(a.Step / time.Second)
	missing := int64(0)
	if len(s.Points) > 0 {
		missing = int64(end.Sub(s.End.Std())/a.Step) - 1
	}
	if missing < 0 {
		return
	}
	most := int64(a.Span / a.Step)
	for range min(missing, most) {
		s.Points = append(s.Points, bus.Unknown())
	}
	s.Points = append(s.Points, average)
	if over := int64(len(s.Points)) - most; over > 0 {
		s.Points = slices.Clone(s.Points[over:])
	}
	s.End = subjects.TimeOf(end)
}

// dropFuture removes the steps that end after now. A clock was wrong when they
// were written, and they would block new steps until that time comes.
func dropFuture(s *bus.Samples, now time.Time) {
	for n := len(s.Points); n > 0 && s.End.Std().After(now); n = len(s.Points) {
		s.End = subjects.TimeOf(s.End.Std().Add(-time.Duration(s.Step) * time.Second))
		s.Points = s.Points[:n-1]
	}
}

// consolidate adds the steps that the finer archive covers completely.
func (a Archive) consolidate(s, fine *bus.Samples) {
	if len(fine.Points) == 0 {
		return
	}
	begin := fine.EndOf(0).Add(-time.Duration(fine.Step) * time.Second).Truncate(a.Step)
	for end := begin.Add(a.Step); !end.After(fine.End.Std()); end = end.Add(a.Step) {
		a.addStep(s, end, meanOf(pointsWithin(fine, end.Add(-a.Step), end)))
	}
}

// pointsWithin returns the points whose steps lie between from and to.
func pointsWithin(s *bus.Samples, from, to time.Time) bus.Points {
	newest := int(s.End.Std().Sub(to) / (time.Duration(s.Step) * time.Second))
	last := len(s.Points) - newest
	first := last - int(to.Sub(from)/(time.Duration(s.Step)*time.Second))
	return s.Points[max(first, 0):max(last, 0)]
}

// meanOf returns the mean of the known values.
func meanOf(points bus.Points) bus.Sample {
	all := sum{}
	for _, p := range points {
		all.add(p)
	}
	return all.mean()
}

// sum adds up samples, and counts the known values.
type sum struct {
	total bus.Sample
	n     [len(bus.Sample{})]int
}

func (s *sum) add(p bus.Sample) {
	for i, v := range p {
		if !math.IsNaN(v) {
			s.total[i] += v
			s.n[i]++
		}
	}
}

func (s *sum) mean() bus.Sample {
	m := bus.Unknown()
	for i, n := range s.n {
		if n > 0 {
			m[i] = s.total[i] / float64(n)
		}
	}
	return m
}
