package audit

import (
	"fmt"
	"iter"
)

// maxFaults is the maximum number of faults in a [Report].
const maxFaults = 20

// Report is the outcome of a verification.
type Report struct {
	Rows   int      `json:"rows"` // that were read
	First  uint64   `json:"first"`
	Head   Mark     `json:"head"`   // the last row
	Faults []string `json:"faults"` // none: the chain is whole
}

// Verifier checks a chain row by row, from the oldest.
type Verifier struct {
	head    string // that must be in the chain; empty: none
	found   bool   // it is
	before  string // previous hash of the first row
	anchors map[Mark]bool
	report  Report
}

// NewVerifier returns a Verifier. head is the hash of a row that the chain must
// have, such as the head of an earlier report; empty for none.
func NewVerifier(head string) *Verifier {
	return &Verifier{head: head, found: head == "", anchors: map[Mark]bool{}, report: Report{Faults: []string{}}}
}

// Verify checks a whole chain: the stored rows by their sequence, oldest first.
// last is the sequence of the last row that was ever stored.
func Verify(rows iter.Seq2[uint64, []byte], last uint64, head string) Report {
	v := NewVerifier(head)
	for sequence, stored := range rows {
		v.Add(sequence, stored)
	}
	return v.Finish(last)
}

// Add checks the next row.
func (v *Verifier) Add(sequence uint64, stored []byte) {
	last := v.report.Head
	v.report.Rows++
	v.report.Head = Mark{sequence, Hash(stored)}
	v.found = v.found || v.report.Head.Hash == v.head
	r, err := decodeRow(stored)
	if v.report.Rows == 1 {
		v.report.First, v.before = sequence, r.Previous
		v.found = v.found || v.before == v.head // of the anchor
	}
	switch {
	case err != nil:
		v.fault("row %d cannot be read: it was changed", sequence)
		return
	case r.Number != sequence:
		v.fault("row %d calls itself row %d: rows were moved or removed", sequence, r.Number)
	case v.report.Rows > 1 && sequence != last.Number+1:
		v.fault("row %d follows row %d: rows between them were removed", sequence, last.Number)
	case v.report.Rows > 1 && r.Previous != last.Hash:
		v.fault("row %d does not have the hash of row %d: one of them was changed", sequence, last.Number)
	}
	if r.Anchor != nil {
		v.anchors[*r.Anchor] = true
	}
}

// Finish checks both ends of the chain and returns the report. last is the
// sequence of the last row that was ever stored.
func (v *Verifier) Finish(last uint64) Report {
	first := v.report.First
	switch {
	case v.report.Rows == 0:
	case first == 1 && v.before != origin.Hash:
		v.fault("row 1 has the hash of a row before it: it was changed")
	case first > 1 && !v.anchors[Mark{first - 1, v.before}]:
		v.fault("the chain begins with row %d, and no row states a purge up to row %d: rows were removed, or row %d was changed", first, first-1, first)
	}
	// A chain without rows has lost all of them.
	if v.report.Head.Number < last {
		v.fault("the chain ends with row %d, but row %d was stored: rows were removed", v.report.Head.Number, last)
	}
	if !v.found {
		v.fault("no row has the hash %s: the chain was cut or written anew, or that row was purged", v.head)
	}
	return v.report
}

func (v *Verifier) fault(format string, args ...any) {
	if len(v.report.Faults) < maxFaults {
		v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
	}
}
