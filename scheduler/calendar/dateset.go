package calendar

import "math/bits"

// dateSet is a set of dates from FirstDate to LastDate, a bit for each.
type dateSet []uint64

const setWords = int(LastDate-FirstDate)/64 + 1

func newDateSet() dateSet { return make(dateSet, setWords) }

// add adds d. It ignores dates outside of the set's range.
func (s dateSet) add(d Date) {
	if inRange(d) {
		i := uint(d - FirstDate)
		s[i/64] |= 1 << (i % 64)
	}
}

func (s dateSet) has(d Date) bool {
	if !inRange(d) {
		return false
	}
	i := uint(d - FirstDate)
	return s[i/64]>>(i%64)&1 == 1
}

// invert makes s the set of all other dates.
func (s dateSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
	const used = (int(LastDate-FirstDate) + 1) % 64
	s[len(s)-1] &= 1<<used - 1
}

// firstFrom returns the first date of the set that is not before d, or no date.
func (s dateSet) firstFrom(d Date) Date {
	i := uint(max(d, FirstDate) - FirstDate)
	for w, mask := i/64, ^uint64(0)<<(i%64); w < uint(len(s)); w, mask = w+1, ^uint64(0) {
		if b := s[w] & mask; b != 0 {
			return FirstDate + Date(w*64) + Date(bits.TrailingZeros64(b))
		}
	}
	return 0
}

// lastUpTo returns the last date of the set that is not after d, or no date.
func (s dateSet) lastUpTo(d Date) Date {
	if d < FirstDate {
		return 0
	}
	i := int(min(d, LastDate) - FirstDate)
	for w, mask := i/64, ^uint64(0)>>(63-i%64); w >= 0; w, mask = w-1, ^uint64(0) {
		if b := s[w] & mask; b != 0 {
			return FirstDate + Date(w*64) + Date(63-bits.LeadingZeros64(b))
		}
	}
	return 0
}

// nthFrom returns the nth date of the set from d on, or no date; n is at
// least 1.
func (s dateSet) nthFrom(d Date, n int) Date {
	if d = s.firstFrom(d); d == 0 {
		return 0
	}
	i := uint(d - FirstDate)
	for w, mask := i/64, ^uint64(0)<<(i%64); w < uint(len(s)); w, mask = w+1, ^uint64(0) {
		b := s[w] & mask
		if c := bits.OnesCount64(b); c < n {
			n -= c
			continue
		}
		for ; n > 1; n-- {
			b &= b - 1
		}
		return FirstDate + Date(w*64) + Date(bits.TrailingZeros64(b))
	}
	return 0
}

// nthUpTo returns the nth date of the set backwards from d, or no date; n is at
// least 1.
func (s dateSet) nthUpTo(d Date, n int) Date {
	if d = s.lastUpTo(d); d == 0 {
		return 0
	}
	i := int(d - FirstDate)
	for w, mask := i/64, ^uint64(0)>>(63-i%64); w >= 0; w, mask = w-1, ^uint64(0) {
		b := s[w] & mask
		if c := bits.OnesCount64(b); c < n {
			n -= c
			continue
		}
		for ; n > 1; n-- {
			b &^= 1 << (63 - bits.LeadingZeros64(b))
		}
		return FirstDate + Date(w*64) + Date(63-bits.LeadingZeros64(b))
	}
	return 0
}

// merge adds the dates of another set.
func (s dateSet) merge(other dateSet) {
	for i := range s {
		s[i] |= other[i]
	}
}

// keep removes the dates that another set does not have.
func (s dateSet) keep(other dateSet) {
	for i := range s {
		s[i] &= other[i]
	}
}

// remove removes the dates of another set.
func (s dateSet) remove(other dateSet) {
	for i := range s {
		s[i] &^= other[i]
	}
}
