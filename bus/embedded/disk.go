package embedded

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/shirou/gopsutil/v4/disk"
)

// The server itself has no limit of what it stores: it would set one once, by what is free at its start, refuse to start where more was
// reserved before, and only ever raise it. The account has the limit instead. [Server.Watch] sets it many times a second, from what is
// stored and what is free, less a reserve. So the broker refuses a write for which there is no room, at once and before anything of it
// is stored, and takes writes again as soon as there is room. The reserve is for what no limit holds up: acknowledgements, purges, the
// state of consumers, and whatever other programs write between two looks.
const noLimit = 1 << 60

const (
	leastReserve = 2 << 20
	mostReserve  = 128 << 20
	// leastFree is what a server needs to start on: it writes a few files.
	leastFree = 1 << 20
)

// reserve is how much of a disk of that size is left free, in bytes.
func reserve(size uint64) uint64 { return min(max(size/32, leastReserve), mostReserve) }

// space is what the disk has, in bytes.
type space struct{ free, size uint64 }

func spaceOf(dir string) (space, error) {
	u, err := disk.Usage(dir)
	if err != nil {
		return space{}, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	return space{u.Free, u.Total}, nil
}

// room is how much more JetStream may write.
func (s space) room() int64 { return max(0, int64(s.free)-int64(reserve(s.size))) }

// limit sets the account's limit to what it stores and what there is room for. What is stored may shrink meanwhile; then the limit is
// too high until the next look, by what was removed.
func limit(srv *server.Server, s space) error {
	acc := srv.GlobalAccount()
	stored := int64(acc.JetStreamUsage().Store)
	err := acc.UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
		MaxMemory: -1, MaxStore: stored + s.room(), MaxStreams: -1, MaxConsumers: -1,
		MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}})
	if err != nil {
		return fmt.Errorf("limit JetStream to its disk: %w", err)
	}
	return nil
}
