package bus

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Sample holds figures of an agent, of a moment or on average. One that is not known is NaN.
type Sample [4]float64

// The figures of a [Sample].
const (
	ProcessLoad  = iota // 0..1 of all cores
	SystemLoad          // 0..1 of all cores
	PhysicalFree        // MiB
	SwapFree            // MiB
)

// Unknown is the sample of a moment when an agent said nothing.
func Unknown() Sample {
	nan := math.NaN()
	return Sample{nan, nan, nan, nan}
}

// Known says whether there is a figure in it.
func (s *Sample) Known() bool {
	for _, v := range s {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// Samples are the averages of one agent over steps of the same length, one after another. They are written once a step.
type Samples struct {
	Step   int64         `json:"step_seconds"`
	End    subjects.Time `json:"end"` // of the newest step; steps begin at multiples of their length since 1970
	Points Points        `json:"points"`
}

// Points are samples with the oldest first. In JSON each is an array in the order of the figures, such as [0.0025,0.01,23396,0]. A figure
// that is not known is null, and so is a sample without any: an agent that was away for months leaves a line of them.
type Points []Sample

// EndOf is where the step of a point ends.
func (s *Samples) EndOf(i int) time.Time {
	return s.End.Std().Add(-time.Duration(int64(len(s.Points)-1-i)*s.Step) * time.Second)
}

// SamplesKey is where the averages of an agent that an archive keeps are.
func SamplesKey(agent, archive string) string { return agent + "." + archive }

// MarshalJSON writes loads to a hundredth of a percent and memory to a MiB: nobody sees more in a picture.
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

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Points) UnmarshalJSON(data []byte) error {
	var rows [][]*float64
	if err := json.Unmarshal(data, &rows); err != nil {
		return err
	}
	all := make(Points, len(rows))
	for i, row := range rows {
		all[i] = Unknown()
		if row != nil && len(row) != len(all[i]) {
			return fmt.Errorf("sample %d has %d figures, want %d", i, len(row), len(all[i]))
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
