package cron

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"
)

// vector is the answer of Quartz 2.3.2 and 2.5.2 for an expression.
type vector struct {
	Kind    string
	Expr    string
	Zone    string
	Start   time.Time
	Valid   bool
	Next    []time.Time
	Lenient bool   // Quartz accepts the expression, but does not document it
	DST     bool   // the clocks change; this package differs on purpose
	Differs string // how the two versions of Quartz disagree
}

// silentlyAccepted are expressions of which Quartz ignores a half without an
// error. The first two fire as if there were no step; the third names a day 0.
var silentlyAccepted = []string{"0 0 6 15 JUN/2 ?", "0 0 6 15 SEP-DEC/2 ?", "0 0 0 1-0 * ?"}

// acceptedYears are expressions with years that Quartz never reaches in its
// search. This package fires in these years.
var acceptedYears = []string{"0 0 0 1 1 ? 2100", "0 0 0 1 1 ? 2199", "0 0 0 1 1 ? 2026/100"}

func readVectors(t *testing.T) []vector {
	f, err := os.Open("testdata/quartz-vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []vector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("line %d: %v", len(all)+1, err)
		}
		all = append(all, v)
	}
	return all
}

func TestQuartz(t *testing.T) {
	fires, verdicts := 0, 0
	for _, v := range readVectors(t) {
		if v.DST || v.Lenient || v.Differs != "" || slices.Contains(silentlyAccepted, v.Expr) {
			continue
		}
		switch v.Kind {
		case "valid":
			verdicts++
			if _, err := Parse(v.Expr); (err == nil) != v.Valid {
				t.Errorf("Parse(%q): %v; Quartz accepts it: %t", v.Expr, err, v.Valid)
			}
		case "next":
			fires++
			checkFires(t, v)
		}
	}
	t.Logf("%d lines with fires and %d verdicts agree with Quartz", fires, verdicts)
	if fires < 1660 || verdicts < 80 {
		t.Errorf("%d lines with fires and %d verdicts were tested, want 1,660 and 80 or more", fires, verdicts)
	}
}

// checkFires compares the next five fires with those of Quartz. Quartz looks a
// hundred years ahead, and this package looks further.
func checkFires(t *testing.T, v vector) {
	t.Helper()
	s, err := Parse(v.Expr)
	if err != nil {
		t.Errorf("Parse(%q): %v, want no error, since Quartz accepts it", v.Expr, err)
		return
	}
	loc, err := time.LoadLocation(v.Zone)
	if err != nil {
		t.Fatal(err)
	}
	at := v.Start.In(loc)
	for i := range 5 {
		from := at
		at = s.Next(at)
		if i < len(v.Next) && !at.Equal(v.Next[i]) {
			t.Errorf("%q: Next(%v) = %v, want %v", v.Expr, from, at, v.Next[i].In(loc))
			return
		}
		if i >= len(v.Next) {
			if horizon := time.Date(2126, 1, 1, 0, 0, 0, 0, loc); !at.IsZero() && at.Before(horizon) {
				t.Errorf("%q: Next(%v) = %v, want none before 2126", v.Expr, from, at)
			}
			return
		}
	}
}

func TestQuartzAccidents(t *testing.T) {
	refused := 0
	for _, v := range readVectors(t) {
		if v.Kind != "valid" || !v.Lenient && !slices.Contains(silentlyAccepted, v.Expr) {
			continue
		}
		want := slices.Contains(acceptedYears, v.Expr)
		_, err := Parse(v.Expr)
		if (err == nil) != want {
			t.Errorf("Parse(%q): %v, want it accepted: %t", v.Expr, err, want)
		}
		if err != nil {
			refused++
		}
	}
	for _, expr := range silentlyAccepted {
		if s, err := Parse(expr); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", expr, s)
		}
	}
	if refused < 35 {
		t.Errorf("%d accidents were tested, want 35 or more", refused)
	}
}

// Where the versions of Quartz disagree, the newer one follows its
// documentation.
func TestQuartzVersions(t *testing.T) {
	tested := 0
	for _, v := range readVectors(t) {
		if v.Kind == "next" && v.Differs != "" && !v.DST {
			tested++
			checkFires(t, v)
		}
	}
	if tested < 14 {
		t.Errorf("%d lines were tested, want 14", tested)
	}
}
