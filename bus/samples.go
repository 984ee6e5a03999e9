package bus

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Sample holds the load and memory of an agent, at a moment or on average. NaN
// means unknown.
type Sample [4]float64

// Indexes of the values of a [Sample].
const (
	ProcessLoad  = iota // 0..1 of all cores
	SystemLoad          // 0..1 of all cores
	PhysicalFree        // MiB
	SwapFree            // MiB
)

// Unknown returns a sample without a known value.
func Unknown() Sample {
	nan := math.NaN()
	return Sample{nan, nan, nan, nan}
}

// Known reports whether any value of s is known.
func (s *Sample) Known() bool {
	for _, v := range s {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// Samples are the averages of one agent over consecutive steps of the same
// length. The bus writes them once a step.
type Samples struct {
	Step int64 `json:"step_seconds"`
	// Of the newest step; steps begin at multiples of their length since 1970.
	End    subjects.Time `json:"end"`
	Points Points        `json:"points"`
}

// Points are samples, the oldest first. In JSON each is an array in the order
// of the indexes, such as [0.0025,0.01,23396,0]. An unknown value is null. A
// sample without a known value is null as well, since an agent that was away
// for months leaves many of them.
type Points []Sample

// EndOf returns the end of the step of point i.
func (s *Samples) EndOf(i int) time.Time {
	return s.End.Std().Add(-time.Duration(int64(len(s.Points)-1-i)*s.Step) * time.Second)
}

// SamplesKey returns the key of an agent's averages in an archive.
func SamplesKey(agent, archive string) string { return agent + "." + archive }

// MarshalJSON rounds loads to a hundredth of a percent and memory to a MiB: a
// chart shows no more.
func (p Points) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 2+24*len(p))
	b = append(b, '[')
	for i := range p {
		if i > 0 {
			b = append(b, ',')
		}
		b = p[i].appendTo(b)
	}
	return append(b, ']'), nil
}

func (s *Sample) appendTo(b []byte) []byte {
	if !s.Known() {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, v := range s {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case math.IsNaN(v):
			b = append(b, "null"...)
		case i >= PhysicalFree:
			b = strconv.AppendFloat(b, math.Round(v), 'f', -1, 64)
		default:
			b = strconv.AppendFloat(b, math.Round(v*1e4)/1e4, 'f', -1, 64)
		}
	}
	return append(b, ']')
}

// UnmarshalJSON reads the output of MarshalJSON.
func (p *Points) UnmarshalJSON(data []byte) error {
	var rows [][]*float64
	if err := json.Unmarshal(data, &rows); err != nil {
		return err
	}
	all := make(Points, len(rows))
	for i, row := range rows {
		all[i] = Unknown()
		if row != nil && len(row) != len(all[i]) {
			return fmt.Errorf("sample %d has %d values, want %d", i, len(row), len(all[i]))
		}
		for k, v := range row {
			if v != nil {
				all[i][k] = *v
			}
		}
	}
	*p = all
	return nil
}
