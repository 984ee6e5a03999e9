package bus

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// tier is a part of an account that stores some bytes of a limit.
func tier(stored uint64, limit int64) jetstream.Tier {
	return jetstream.Tier{Store: stored, Limits: jetstream.AccountLimits{MaxStore: limit}}
}

// The room is that of the account, or of its tier for our number of replicas.
func TestRoomOfAnAccount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		replicas int
		account  jetstream.Tier
		tiers    map[string]jetstream.Tier
		full     bool
	}{
		{"no limit", 1, tier(1<<40, -1), nil, false},
		{"nothing stored, and no limit told", 1, tier(0, 0), nil, false},
		{"a limit of nothing", 1, tier(1, 0), nil, true},
		{"half full", 1, tier(1<<29, 1<<30), nil, false},
		{"full", 1, tier(1<<30, 1<<30), nil, true},
		{"more stored than a limit that was lowered", 1, tier(1<<31, 1<<30), nil, true},
		{"in the margin of a small limit", 1, tier(1<<20-1<<15, 1<<20), nil, true},
		{"before the margin of a small limit", 1, tier(1<<20-1<<15-1, 1<<20), nil, false},
		{"in the margin of a large limit", 1, tier(1<<40-128<<20, 1<<40), nil, true},
		{"before the margin of a large limit", 1, tier(1<<40-128<<20-1, 1<<40), nil, false},
		{"a tier that is full", 1, tier(0, -1), map[string]jetstream.Tier{"R1": tier(1<<30, 1<<30)}, true},
		{"only the tier of others is full", 3, tier(0, -1), map[string]jetstream.Tier{"R1": tier(1<<30, 1<<30)}, false},
		{"the limit of a tier is that of one replica", 3, tier(0, -1), map[string]jetstream.Tier{"R3": tier(2<<30, 1<<30)}, false},
		{"all replicas of a tier are full", 3, tier(0, -1), map[string]jetstream.Tier{"R3": tier(3<<30, 1<<30)}, true},
		{"a tier without a limit", 3, tier(0, 1), map[string]jetstream.Tier{"R3": tier(3<<30, -1)}, false},
	} {
		b := &Bus{cfg: Config{Replicas: tt.replicas}}
		err := b.checkRoom(&jetstream.AccountInfo{Tier: tt.account, Tiers: tt.tiers})
		if errors.Is(err, ErrFull) != tt.full || (err != nil) != tt.full {
			t.Errorf("%s: %v, want full: %v", tt.name, err, tt.full)
		}
	}
}

func TestSizesForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 10 << 30: "10.0 GiB",
		1 << 40: "1.0 TiB", 1 << 50: "1024.0 TiB", math.MaxInt64: "8388608.0 TiB", -5: "-5 B",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
}

// What a caller can act on is told apart by errors.Is, whatever is around it.
func TestErrorsOfTheBroker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err, want error
	}{
		{jetstream.ErrKeyNotFound, ErrNotFound},
		{jetstream.ErrKeyExists, ErrExists},
		{jetstream.ErrKeyRevisionMismatch, ErrChanged},
		{fmt.Errorf("around: %w", jetstream.ErrKeyNotFound), ErrNotFound},
		{jetstream.ErrKeyDeleted, jetstream.ErrKeyDeleted},
		{errors.New("else"), nil},
	} {
		s := &Store[int]{kv: namedBucket{}}
		err := s.wrapError("get", "k", tt.err)
		for _, sentinel := range []error{ErrNotFound, ErrExists, ErrChanged, ErrFull, ErrAway, ErrUnknown} {
			if errors.Is(err, sentinel) != (sentinel == tt.want) {
				t.Errorf("%v is %v: %v", err, sentinel, errors.Is(err, sentinel))
			}
		}
		if want := "get bucket/k: "; len(err.Error()) <= len(want) || err.Error()[:len(want)] != want {
			t.Errorf("error %q, want it to begin with %q", err, want)
		}
	}
}

// namedBucket is a bucket of which only the name is asked.
type namedBucket struct{ jetstream.KeyValue }

func (namedBucket) Bucket() string { return "bucket" }
