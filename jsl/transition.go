package jsl

import "unicode/utf8"

// Match reports whether an exit status matches the pattern of a transition: *
// stands for any number of characters, ? for exactly one. It backtracks only to
// the last *, so its time is at most the product of both lengths.
func Match(on, exit string) bool {
	star, mark := -1, 0 // the last *, and where in exit the rest of the pattern was tried
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

// After returns the transition that follows an element that ended with this
// exit status. failed means that the element ended with an exception. The
// transition is an action for the whole job or, for [Next], the element To of
// the same scope. After returns false if the scope is complete: the flow has
// ended, or the job is COMPLETED.
//
// The first matching transition in the order of the document wins, even for a
// failed element. Without a match, a failed element or a decision fails the
// job, and any other element goes on with its attribute next. The exit status
// of a flow is that of its last element. A split has no transitions.
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

// LeadsTo reports whether the element e may go on with the element target: by
// its attribute next or by a transition.
func LeadsTo(e Element, target string) bool {
	next, transitions := exitsOf(e)
	if next == target {
		return true
	}
	for _, t := range transitions {
		if t.Action == Next && t.To == target {
			return true
		}
	}
	return false
}
