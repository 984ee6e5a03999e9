package monitor

import (
	"math"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Archive is averages over steps of one length, kept for some time.
type Archive struct {
	Name string
	Step time.Duration
	Span time.Duration
}

// Archives lists all of them. Each is made of the one before, whose steps its
// own begin and end with.
func Archives() []Archive {
	const day = 24 * time.Hour
	return []Archive{
		{"daily", 5 * time.Minute, day},
		{"weekly", 15 * time.Minute, 7 * day},
		{"monthly", time.Hour, 31 * day},
		{"yearly", 6 * time.Hour, 366 * day},
	}
}

// ArchiveNamed is the archive with the name.
func ArchiveNamed(name string) (Archive, bool) {
	all := Archives()
	i := slices.IndexFunc(all, func(a Archive) bool { return a.Name == name })
	if i < 0 {
		return Archive{}, false
	}
	return all[i], true
}

// put adds the average of the step that ends at end, after gaps for the steps
// of which nothing is known. Of a step that is there already, it was another
// bus that was faster, and its average stays.
func (a Archive) put(s *bus.Samples, end time.Time, average bus.Sample) {
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

// forget removes the steps that end after now: the clock was wrong then, and
// nothing could be added until that time comes.
func forget(s *bus.Samples, now time.Time) {
	for n := len(s.Points); n > 0 && s.End.Std().After(now); n = len(s.Points) {
		s.End = subjects.TimeOf(s.End.Std().Add(-time.Duration(s.Step) * time.Second))
		s.Points = s.Points[:n-1]
	}
}

// consolidate adds the steps that the finer archive has the whole of.
func (a Archive) consolidate(s, fine *bus.Samples) {
	if len(fine.Points) == 0 {
		return
	}
	begin := fine.EndOf(0).Add(-time.Duration(fine.Step) * time.Second).Truncate(a.Step)
	for end := begin.Add(a.Step); !end.After(fine.End.Std()); end = end.Add(a.Step) {
		a.put(s, end, mean(within(fine, end.Add(-a.Step), end)))
	}
}

// within are the points whose steps lie between two times.
func within(s *bus.Samples, from, to time.Time) bus.Points {
	newest := int(s.End.Std().Sub(to) / (time.Duration(s.Step) * time.Second))
	last := len(s.Points) - newest
	first := last - int(to.Sub(from)/(time.Duration(s.Step)*time.Second))
	return s.Points[max(first, 0):max(last, 0)]
}

// mean is that of what is known.
func mean(points bus.Points) bus.Sample {
	all := sum{}
	for _, p := range points {
		all.add(p)
	}
	return all.mean()
}

// sum adds samples up.
type sum struct {
	of bus.Sample
	n  [len(bus.Sample{})]int
}

func (s *sum) add(p bus.Sample) {
	for i, v := range p {
		if !math.IsNaN(v) {
			s.of[i] += v
			s.n[i]++
		}
	}
}

func (s *sum) mean() bus.Sample {
	m := bus.Unknown()
	for i, n := range s.n {
		if n > 0 {
			m[i] = s.of[i] / float64(n)
		}
	}
	return m
}
