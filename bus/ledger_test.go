package bus

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// IDSet does what a map does, and its text is read again.
func TestIDSet(t *testing.T) {
	for seed := range uint64(50) {
		g := rand.New(rand.NewPCG(seed, 1))
		var s IDSet
		want := map[int64]bool{}
		for range 300 {
			id := 1 + g.Int64N(60)
			if g.IntN(2) == 0 {
				if got := s.Add(id); got == want[id] {
					t.Fatalf("seed %d: Add(%d) = %v", seed, id, got)
				}
				want[id] = true
			} else {
				if got := s.Remove(id); got != want[id] {
					t.Fatalf("seed %d: Remove(%d) = %v", seed, id, got)
				}
				delete(want, id)
			}
			if s.Len() != len(want) {
				t.Fatalf("seed %d: Len() = %d, want %d", seed, s.Len(), len(want))
			}
		}
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var read IDSet
		if err := read.UnmarshalText(text); err != nil || !slices.Equal(read.ranges, s.ranges) {
			t.Fatalf("seed %d: %s is read as %v, %v", seed, text, read.ranges, err)
		}
		all := slices.Collect(read.All())
		if !slices.IsSorted(all) || len(all) != len(want) {
			t.Fatalf("seed %d: All() = %v", seed, all)
		}
		for id := range int64(62) {
			if read.Has(id) != want[id] {
				t.Fatalf("seed %d: Has(%d) = %v", seed, id, read.Has(id))
			}
		}
	}
	for _, text := range []string{"x", "1-", "3-1", "0", "1,1", "1-5,5", "-4", ","} {
		if err := new(IDSet).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as a set", text)
		}
	}
}

func TestGranter(t *testing.T) {
	type ask struct {
		needs Needs
		id    int64
	}
	for _, c := range []struct {
		name string
		held map[Needs][]int64
		asks []ask
		want []int64
	}{
		{"as many as fit", nil, []ask{{"db=1", 1}, {"db=1", 2}, {"db=1", 3}, {"db=1", 4}}, []int64{1, 2, 3}},
		{"what is held counts", map[Needs][]int64{"db=2": {9}}, []ask{{"db=1", 10}, {"db=1", 11}}, []int64{10}},
		{"one that needs much is not overtaken", map[Needs][]int64{"db=1": {1}}, []ask{{"db=3", 2}, {"db=1", 3}}, nil},
		{"another limit is not affected", map[Needs][]int64{"db=1": {1}}, []ask{{"db=3", 2}, {"api=1", 3}}, []int64{3}},
		{"all or none, and all are reserved", map[Needs][]int64{"db=3": {1}}, []ask{{"api=1,db=1", 2}, {"api=2", 3}}, nil},
		{"one that can never fit blocks nobody", nil, []ask{{"db=4", 1}, {"db=3", 2}}, []int64{2}},
		{"a limit that does not exist blocks nobody", nil, []ask{{"db=1,none=1", 1}, {"db=3", 2}}, []int64{2}},
		{"a capacity below what is held", map[Needs][]int64{"db=2": {1, 2}}, []ask{{"db=1", 3}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := (&Ledger{}).Clone()
			l.Limits["db"], l.Limits["api"] = Limit{Capacity: 3}, Limit{Capacity: 2}
			for needs, ids := range c.held {
				for _, id := range ids {
					l.Hold(needs, id)
				}
			}
			g := NewGranter(l)
			var got []int64
			for _, a := range c.asks {
				if ok, _ := g.Grant(a.needs, a.id); ok {
					got = append(got, a.id)
					if !l.Holds(a.needs, a.id) {
						t.Errorf("%d does not hold what it was granted", a.id)
					}
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("granted %v, want %v", got, c.want)
			}
		})
	}
	if got := NeedsOf([]Need{{"db", 1}, {"Api", 20}}); got != "Api=20,db=1" || !slices.Equal(got.All(), []Need{{"Api", 20}, {"db", 1}}) {
		t.Errorf("needs %q, %v", got, got.All())
	}
}
