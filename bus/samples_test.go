package bus

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestPoints(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		points Points
		want   string
	}{
		{nil, `[]`},
		{Points{{0.00254, 1, 23396.4, 0}, Unknown(), {0.5, 0.25, nan, nan}}, `[[0.0025,1,23396,0],null,[0.5,0.25,null,null]]`},
		{Points{{0, 0, 1e12, 0}}, `[[0,0,1000000000000,0]]`},
	} {
		b, err := encodeJSON(Samples{Points: c.points})
		if want := `{"step_seconds":0,"end":null,"points":` + c.want + `}`; err != nil || string(b) != want {
			t.Errorf("%s, %v, want %s", b, err, want)
		}
		var s Samples
		if err := decodeJSON(b, &s); err != nil || len(s.Points) != len(c.points) {
			t.Errorf("%s = %v, %v", b, s, err)
		}
		if again, err := encodeJSON(s); err != nil || string(again) != string(b) {
			t.Errorf("%s is written again as %s, %v", b, again, err)
		}
	}
	for _, bad := range []string{`[[1,2,3]]`, `[1]`, `{}`} {
		var p Points
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%s = %v, want an error", bad, p)
		}
	}
}

func TestEndOf(t *testing.T) {
	end := time.Date(2026, 3, 1, 10, 15, 0, 0, time.UTC)
	s := Samples{Step: 300, End: subjects.TimeOf(end), Points: make(Points, 3)}
	if s.EndOf(2) != end || s.EndOf(0) != end.Add(-10*time.Minute) {
		t.Errorf("%v and %v, want 10:05 and 10:15", s.EndOf(0), s.EndOf(2))
	}
}
