package login

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// The right secret waits like a wrong one, is not even looked at meanwhile, and
// ends the pauses.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard("join token")
		wrong, right := func() bool { return false }, func() bool { return true }
		for n := range freeTries {
			if err := g.Check("192.0.2.1", wrong); err != ErrWrong {
				t.Fatalf("try %d: %v", n+1, err)
			}
		}
		var paused *PausedError
		err := g.Check("192.0.2.1", func() bool { t.Error("the secret was looked at in a pause"); return true })
		if !errors.As(err, &paused) || paused.Wait != firstPause {
			t.Errorf("after the free tries: %v", err)
		}
		for i := range 2 * freeNew {
			if err := g.Check(fmt.Sprintf("198.51.100.%d", i), wrong); err != ErrWrong {
				t.Fatalf("from new address %d: %v", i, err)
			}
		}
		if err := g.Check("192.0.2.2", right); err != nil {
			t.Errorf("from another address: %v", err)
		}
		for i := range freeTries {
			if err := g.Check(fmt.Sprintf("127.0.%d.9", i), wrong); err != ErrWrong {
				t.Errorf("from the machine itself, try %d: %v", i+1, err)
			}
		}
		if err := g.Check("127.1.2.3", wrong); !errors.As(err, &paused) {
			t.Errorf("from another loopback address: %v", err)
		}
		time.Sleep(firstPause)
		if err := g.Check("192.0.2.1", right); err != nil {
			t.Errorf("after the pause: %v", err)
		}
		for n := range freeTries {
			if err := g.Check("192.0.2.1", wrong); err != ErrWrong {
				t.Errorf("after the right secret try %d: %v", n+1, err)
			}
		}
	})
}
