package bus

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// IDSet is a set of execution ids. Ids are given out in order, so a set of
// executions that run at a time has few ranges. Its text form is that of the
// ranges, such as 17,20-24. The zero IDSet is empty.
type IDSet struct{ ranges []idRange }

// idRange is a range of ids, both ends included.
type idRange struct{ first, last int64 }

// place returns the index of the range that has id, or where it belongs.
func (s *IDSet) place(id int64) (int, bool) {
	return slices.BinarySearchFunc(s.ranges, id, func(r idRange, id int64) int {
		switch {
		case r.last < id:
			return -1
		case r.first > id:
			return 1
		}
		return 0
	})
}

// Has reports whether the set has the id.
func (s *IDSet) Has(id int64) bool {
	_, found := s.place(id)
	return found
}

// Add adds an id. It returns false if the set had it already.
func (s *IDSet) Add(id int64) bool {
	i, found := s.place(id)
	if found {
		return false
	}
	before := i > 0 && s.ranges[i-1].last == id-1
	after := i < len(s.ranges) && s.ranges[i].first == id+1
	switch {
	case before && after:
		s.ranges[i-1].last = s.ranges[i].last
		s.ranges = slices.Delete(s.ranges, i, i+1)
	case before:
		s.ranges[i-1].last = id
	case after:
		s.ranges[i].first = id
	default:
		s.ranges = slices.Insert(s.ranges, i, idRange{id, id})
	}
	return true
}

// Remove removes an id. It returns false if the set did not have it.
func (s *IDSet) Remove(id int64) bool {
	i, found := s.place(id)
	if !found {
		return false
	}
	switch r := &s.ranges[i]; {
	case r.first == r.last:
		s.ranges = slices.Delete(s.ranges, i, i+1)
	case r.first == id:
		r.first++
	case r.last == id:
		r.last--
	default:
		rest := idRange{id + 1, r.last}
		r.last = id - 1
		s.ranges = slices.Insert(s.ranges, i+1, rest)
	}
	return true
}

// Len returns the number of ids.
func (s *IDSet) Len() int {
	n := int64(0)
	for _, r := range s.ranges {
		n += r.last - r.first + 1
	}
	return int(n)
}

// All yields the ids in ascending order.
func (s *IDSet) All() func(yield func(int64) bool) {
	return func(yield func(int64) bool) {
		for _, r := range s.ranges {
			for id := r.first; id <= r.last; id++ {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// clone returns a copy that shares nothing with s.
func (s *IDSet) clone() *IDSet { return &IDSet{slices.Clone(s.ranges)} }

// MarshalText writes the ranges.
func (s IDSet) MarshalText() ([]byte, error) {
	var b []byte
	for i, r := range s.ranges {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, r.first, 10)
		if r.last > r.first {
			b = strconv.AppendInt(append(b, '-'), r.last, 10)
		}
	}
	return b, nil
}

// UnmarshalText reads the ranges, in any order.
func (s *IDSet) UnmarshalText(text []byte) error {
	s.ranges = nil
	if len(text) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		var r idRange
		var err error
		if r.first, err = strconv.ParseInt(first, 10, 64); err == nil {
			r.last, err = strconv.ParseInt(last, 10, 64)
		}
		if err != nil || r.first <= 0 || r.last < r.first {
			return fmt.Errorf("%q: want ranges of ids", part)
		}
		s.ranges = append(s.ranges, r)
	}
	slices.SortFunc(s.ranges, func(a, b idRange) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(s.ranges); i++ {
		if s.ranges[i].first <= s.ranges[i-1].last {
			return fmt.Errorf("%q: want ranges that do not overlap", text)
		}
	}
	return nil
}
