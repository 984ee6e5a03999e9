package jsl

import "unicode/utf8"

// Match says whether an exit status matches the pattern of a transition: *
// stands for any characters or none, ? for exactly one. It goes back to the
// last * only, so that the time is at most the product of both lengths.
func Match(on, exit string) bool {
	star, mark := -1, 0 // the last * and where in exit what follows it was tried
	p, e := 0, 0
	for e < len(exit) {
		r, size := utf8.DecodeRuneInString(exit[e:])
		switch want, width := utf8.DecodeRuneInString(on[p:]); {
		case width > 0 && want == '*':
			star, mark = p, e
			p++
		case width > 0 && (want == '?' || want == r && on[p:p+width] == exit[e:e+size]):
			p += width
			e += size
		case star >= 0:
			_, skip := utf8.DecodeRuneInString(exit[mark:])
			mark += skip
			p, e = star+1, mark
		default:
			return false
		}
	}
	for p < len(on) && on[p] == '*' {
		p++
	}
	return p == len(on)
}

// After says what follows an element that ended with this exit status; failed
// if it ended by an exception. The answer is an action for the whole job or,
// for [Next], the element To of the same scope. It is false if the scope is
// done: the flow is over, or the job COMPLETED.
//
// The first transition in the order of the document that matches wins, even for
// a failed element. Without a match a failed element and a decision fail the
// job, and the attribute next leads on. For a flow the exit status is that of
// its last element; a split has no transitions to match.
func After(e Element, exitStatus string, failed bool) (Transition, bool) {
	next, transitions := exitsOf(e)
	for _, t := range transitions {
		if Match(t.On, exitStatus) {
			return t, true
		}
	}
	if _, decision := e.(*Decision); decision || failed {
		return Transition{Action: Fail}, true
	}
	if next != "" {
		return Transition{Action: Next, To: next}, true
	}
	return Transition{}, false
}
