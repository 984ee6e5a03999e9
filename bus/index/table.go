package index

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// entry is the summary of an execution in the table. It has no pointers, so
// that the garbage collector does not scan it.
type entry struct {
	id, instance       int64
	create, start, end subjects.Time
	rev                uint64
	exit, agent        uint32 // numbers of names
	job                uint32
	attempt            uint16
	status             uint8
}

// statuses give each batch status a number.
var statuses = []subjects.BatchStatus{
	subjects.Undispatched, subjects.Unrestarted, subjects.Queued, subjects.Unknown,
	subjects.Starting, subjects.Started, subjects.Stopping,
	subjects.Stopped, subjects.Failed, subjects.Completed, subjects.Abandoned, subjects.Registered,
}

func statusOf(n uint8) subjects.BatchStatus { return statuses[n] }

func statusNumber(s subjects.BatchStatus) uint8 {
	return uint8(max(0, slices.Index(statuses, s)))
}

const chunkSize = 1024

// table keeps entries in chunks, and finds them by handle or by id. Ids are
// small integers with few gaps, so pages of handles cost 4 bytes for an
// execution where a map would cost 25.
type table struct {
	chunks [][]entry
	free   []int32
	pages  map[int64]*page
	extra  map[int64]extra // of the few executions that have any

	backfills map[int64]int64 // of the executions that a backfill fired
}

type page struct {
	handles [chunkSize]int32 // handle + 1; 0 is none
	used    int
}

type extra struct {
	scheduledFor subjects.Time
	restartOf    int64
	date         packedDate // of scheduledFor
	schedule     uint32     // number of its name
}

// packedDate is a date as the number YYYYMMDD; 0: none.
type packedDate int32

// packDate packs a date of the form YYYY-MM-DD. Any other text is no date.
func packDate(date string) packedDate {
	if len(date) != len(time.DateOnly) || date[4] != '-' || date[7] != '-' {
		return 0
	}
	n, err := strconv.ParseUint(date[:4]+date[5:7]+date[8:], 10, 31)
	if err != nil {
		return 0
	}
	return packedDate(n)
}

// String returns the date as YYYY-MM-DD, or an empty string.
func (d packedDate) String() string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d/10000, d/100%100, d%100)
}

func newTable() table {
	return table{pages: map[int64]*page{}, extra: map[int64]extra{}, backfills: map[int64]int64{}}
}

func (t *table) entryAt(handle int32) *entry { return &t.chunks[handle/chunkSize][handle%chunkSize] }

func (t *table) findHandle(id int64) (int32, bool) {
	p := t.pages[id/chunkSize]
	if p == nil || id < 0 {
		return 0, false
	}
	h := p.handles[id%chunkSize]
	return h - 1, h > 0
}

// addEntry adds an entry for id, which must not exist. It moves no other entry.
func (t *table) addEntry(id int64) int32 {
	if len(t.free) == 0 {
		n := int32(len(t.chunks)) * chunkSize
		t.chunks = append(t.chunks, make([]entry, chunkSize))
		for i := n + chunkSize - 1; i >= n; i-- {
			t.free = append(t.free, i)
		}
	}
	h := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	p := t.pages[id/chunkSize]
	if p == nil {
		p = &page{}
		t.pages[id/chunkSize] = p
	}
	p.handles[id%chunkSize] = h + 1
	p.used++
	*t.entryAt(h) = entry{id: id}
	return h
}

func (t *table) removeEntry(id int64) {
	p := t.pages[id/chunkSize]
	if p == nil || p.handles[id%chunkSize] == 0 {
		return
	}
	h := p.handles[id%chunkSize] - 1
	*t.entryAt(h) = entry{} // without an id a scan skips it
	t.free = append(t.free, h)
	p.handles[id%chunkSize] = 0
	if p.used--; p.used == 0 {
		delete(t.pages, id/chunkSize)
	}
	delete(t.extra, id)
	delete(t.backfills, id)
}

// compareAge compares by create time, then by id.
func (t *table) compareAge(a, b int32) int {
	x, y := t.entryAt(a), t.entryAt(b)
	return cmp.Or(cmp.Compare(x.create, y.create), cmp.Compare(x.id, y.id))
}

// insertHandle inserts handle at its place, which is nearly always the end.
func (t *table) insertHandle(list []int32, handle int32) []int32 {
	list = append(list, handle)
	i := len(list) - 1
	for i > 0 && t.compareAge(list[i-1], handle) > 0 {
		list[i] = list[i-1]
		i--
	}
	list[i] = handle
	return list
}

// dropHandle removes handle. Removing the oldest does not move the others.
func (t *table) dropHandle(list []int32, handle int32) []int32 {
	i, ok := slices.BinarySearchFunc(list, handle, t.compareAge)
	switch {
	case !ok:
		return list
	case i == 0:
		return list[1:]
	}
	return slices.Delete(list, i, i+1)
}

// names assigns a number to each string. There are few agents and exit
// statuses. If there are too many, the number 1 means "read the record".
type names struct {
	byName map[string]uint32
	all    []string
}

const (
	maxNames  = 100_000
	longName  = 200
	tooMany   = 1
	tooManyAs = "..."
)

func newNames() names {
	return names{byName: map[string]uint32{"": 0, tooManyAs: tooMany}, all: []string{"", tooManyAs}}
}

func (n *names) numberOf(s string) uint32 {
	if i, ok := n.byName[s]; ok {
		return i
	}
	if len(n.all) >= maxNames || len(s) > longName {
		return tooMany
	}
	n.byName[s] = uint32(len(n.all))
	n.all = append(n.all, s)
	return uint32(len(n.all) - 1)
}

func (n *names) nameOf(i uint32) string { return n.all[i] }
