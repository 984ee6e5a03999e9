package agent

import "testing"

func TestPending(t *testing.T) {
	for reply, want := range map[string]int{
		"$JS.ACK.S.C.1.2.3.1700000000.41":            41,
		"$JS.ACK.S.C.1.2.3.1700000000.0":             0,
		"$JS.ACK.hub.AACC.S.C.1.2.3.1700000000.7":    7,
		"$JS.ACK.hub.AACC.S.C.1.2.3.1700000000.7.xy": 7,
		"$JS.ACK": 0,
		"":        0,
	} {
		if got := pendingCount(reply); got != want {
			t.Errorf("pending(%q) = %d, want %d", reply, got, want)
		}
	}
}
