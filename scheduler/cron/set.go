package cron

import "math/bits"

// set holds numbers from 0 to 63.
type set uint64

func (s *set) add(n int) { *s |= 1 << n }

func (s set) has(n int) bool { return s>>n&1 == 1 }

// from returns the smallest member that is at least n. There is none if it is
// 64.
func (s set) from(n int) int {
	return bits.TrailingZeros64(uint64(s) >> n << n)
}

// yearSet holds years from MinYear to MaxYear.
type yearSet [(MaxYear-MinYear)/64 + 1]set

func (y *yearSet) add(n int) { y[(n-MinYear)/64].add((n - MinYear) % 64) }

func (y *yearSet) has(n int) bool {
	return MinYear <= n && n <= MaxYear && y[(n-MinYear)/64].has((n-MinYear)%64)
}

// from returns the first year that is at least n, from MinYear on. There is
// none if it is after MaxYear.
func (y *yearSet) from(n int) int {
	bit := n - MinYear
	for i := bit / 64; i < len(y); i++ {
		if b := y[i].from(bit % 64); b < 64 {
			return MinYear + i*64 + b
		}
		bit = 0
	}
	return MaxYear + 1
}
