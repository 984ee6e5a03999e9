package cron

import "math/bits"

// set is a set of numbers from 0 to 63.
type set uint64

func (s *set) add(n int) { *s |= 1 << n }

func (s set) has(n int) bool { return s>>n&1 == 1 }

// firstFrom returns the smallest member that is at least n, or 64 if there is
// none.
func (s set) firstFrom(n int) int {
	return bits.TrailingZeros64(uint64(s) >> n << n)
}

// yearSet is a set of years from MinYear to MaxYear.
type yearSet [(MaxYear-MinYear)/64 + 1]set

func (y *yearSet) add(n int) { y[(n-MinYear)/64].add((n - MinYear) % 64) }

func (y *yearSet) has(n int) bool {
	return MinYear <= n && n <= MaxYear && y[(n-MinYear)/64].has((n-MinYear)%64)
}

// firstFrom returns the first year of the set that is at least n, or a year
// after MaxYear if there is none. n must be at least MinYear.
func (y *yearSet) firstFrom(n int) int {
	bit := n - MinYear
	for i := bit / 64; i < len(y); i++ {
		if b := y[i].firstFrom(bit % 64); b < 64 {
			return MinYear + i*64 + b
		}
		bit = 0
	}
	return MaxYear + 1
}
