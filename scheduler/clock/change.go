package clock

// Change is how a change of the clocks affects an instant.
type Change string

// The changes.
const (
	NoChange Change = ""
	// The clocks are set forward at this instant. Times in the gap fire now.
	GapEnd Change = "gap"
	// The clocks show the same time again later.
	FirstPass Change = "first pass"
	// The clocks have shown the same time before.
	SecondPass Change = "second pass"
)

// ChangeAt returns how a change of the clocks affects u.
func (k *Clocks) ChangeAt(u int64) Change {
	z := k.SpanAt(u)
	if z.Start > u-MaxShift {
		switch ahead := z.offset - SpanAt(k.loc, z.Start-1).offset; {
		case ahead > 0 && u == z.Start:
			return GapEnd
		case u < z.Start-ahead:
			return SecondPass
		}
	}
	if z.End <= u+MaxShift && u >= z.End+SpanAt(k.loc, z.End).offset-z.offset {
		return FirstPass
	}
	return NoChange
}
