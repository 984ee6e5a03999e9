package embedded

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/shirou/gopsutil/v4/disk"
)

// The server itself gets no storage limit. It would set the limit once, from
// the free space at its start; it would refuse to start if streams had reserved
// more; and it could only raise the limit. The account has the limit instead.
// [Server.Watch] sets it many times a second: stored bytes plus free bytes less
// a reserve. So the broker refuses a write for which there is no room before
// any of it is stored, and accepts writes again as soon as there is room. The
// reserve is for writes that no limit stops: acknowledgements, purges, the
// state of consumers, and other programs' writes between two checks.
const noLimit = 1 << 60

const (
	minReserve = 2 << 20
	maxReserve = 128 << 20
	// minFree is the number of free bytes that a server needs to start, for a
	// few files.
	minFree = 1 << 20
)

// reservedSpace returns the number of bytes to keep free on a disk of that
// size.
func reservedSpace(size uint64) uint64 { return min(max(size/32, minReserve), maxReserve) }

// diskSpace is the size and the free space of the disk, in bytes.
type diskSpace struct{ free, size uint64 }

func readDiskSpace(dir string) (diskSpace, error) {
	u, err := disk.Usage(dir)
	if err != nil {
		return diskSpace{}, fmt.Errorf("read the usage of the disk of %s: %w", dir, err)
	}
	return diskSpace{u.Free, u.Total}, nil
}

// freeRoom returns the number of bytes that JetStream may still write.
func (s diskSpace) freeRoom() int64 { return max(0, int64(s.free)-int64(reservedSpace(s.size))) }

// setLimit sets the account's limit to the stored bytes plus the available
// room. If stored bytes are removed meanwhile, the limit is too high by that
// amount until the next check.
func (s *Server) setLimit(srv *server.Server, space diskSpace) error {
	acc, err := srv.LookupAccount(s.cfg.jetStreamAccount())
	if err != nil {
		return fmt.Errorf("limit JetStream to the space of its disk: %w", err)
	}
	stored := int64(acc.JetStreamUsage().Store)
	err = acc.UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
		MaxMemory: -1, MaxStore: stored + space.freeRoom(), MaxStreams: -1, MaxConsumers: -1,
		MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}})
	if err != nil {
		return fmt.Errorf("limit JetStream to the space of its disk: %w", err)
	}
	return nil
}
