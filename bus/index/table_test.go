package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A table holds what a map would hold, and uses the room of removed entries
// again.
func TestTableIsAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 3))
		table, want := newTable(), map[int64]subjects.Time{}
		for i := range 5000 {
			id := r.Int64N(6) * 1_000_000 // pages far from one another
			id += r.Int64N(300) + 900     // at the edge of a page
			_, there := want[id]
			h, found := table.findHandle(id)
			switch {
			case found != there:
				t.Fatalf("seed %d, step %d: entry %d found %v, want %v", seed, i, id, found, there)
			case there && r.IntN(2) == 0:
				table.removeEntry(id)
				table.removeEntry(id) // without effect
				delete(want, id)
			case there:
				if e := table.entryAt(h); e.id != id || e.create != want[id] {
					t.Fatalf("seed %d, step %d: entry %d is %d of %d, want %d", seed, i, id, e.id, e.create, want[id])
				}
			default:
				h = table.addEntry(id)
				table.entryAt(h).create = subjects.Time(i)
				want[id] = subjects.Time(i)
			}
		}
		if room := len(table.chunks) * chunkSize; room-len(table.free) != len(want) || room > 2*chunkSize {
			t.Errorf("seed %d: %d entries in %d, of which %d are free", seed, len(want), room, len(table.free))
		}
		for id := range want {
			table.removeEntry(id)
		}
		if len(table.pages) != 0 {
			t.Errorf("seed %d: an empty table has %d pages", seed, len(table.pages))
		}
	}
}

// What belongs to an entry goes with it: an id that comes again has none of it.
func TestARemovedEntryLeavesNothing(t *testing.T) {
	t.Parallel()
	x := New(nil)
	e := execution(1, subjects.Started)
	e.ScheduledFor, e.RestartOf, e.StopRequest = 500, 9, "stop"
	x.PutExecution(e, 1)
	x.Remove("a", "j", 1)
	if n := len(x.table.extra) + len(x.live) + len(x.stopRequests) + len(x.successor); n != 0 {
		t.Errorf("%d leftovers of a removed execution", n)
	}
	x.PutExecution(execution(1, subjects.Started), 2)
	if s, _ := x.Find(1); s.ScheduledFor != 0 || s.RestartOf != 0 || s.StopRequest != "" {
		t.Errorf("a new execution has the fields of a removed one: %+v", s)
	}
}

// A list stays in order of creation, then of ids, wherever a handle goes in.
func TestListOfHandles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		creates []subjects.Time // of the ids 1, 2 ...
		drop    []int64
		want    []int64
	}{
		{"in order", []subjects.Time{1, 2, 3}, nil, []int64{1, 2, 3}},
		{"the newest first", []subjects.Time{3, 2, 1}, nil, []int64{3, 2, 1}},
		{"one in the middle", []subjects.Time{1, 9, 5}, nil, []int64{1, 3, 2}},
		{"the same time", []subjects.Time{5, 5, 1, 5}, nil, []int64{3, 1, 2, 4}},
		{"without the oldest", []subjects.Time{1, 2, 3}, []int64{1}, []int64{2, 3}},
		{"without the newest", []subjects.Time{1, 2, 3}, []int64{3}, []int64{1, 2}},
		{"without one in the middle", []subjects.Time{1, 2, 3}, []int64{2}, []int64{1, 3}},
		{"without one of the same time", []subjects.Time{5, 5, 5}, []int64{2}, []int64{1, 3}},
		{"without one that is not there", []subjects.Time{1, 2}, []int64{2, 2}, []int64{1}},
		{"without any", []subjects.Time{2, 1}, []int64{1, 2, 1}, nil},
	} {
		table, handles, list := newTable(), map[int64]int32{}, []int32(nil)
		for i, create := range tt.creates {
			id := int64(i + 1)
			handles[id] = table.addEntry(id)
			table.entryAt(handles[id]).create = create
			list = table.insertHandle(list, handles[id])
		}
		for _, id := range tt.drop {
			list = table.dropHandle(list, handles[id])
		}
		var got []int64
		for _, h := range list {
			got = append(got, table.entryAt(h).id)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// An execution whose create time changes moves in its job's list. That happens
// if its record was made of a claim, and the request comes later.
func TestCreateTimeChanges(t *testing.T) {
	t.Parallel()
	x := New(nil)
	for id := range int64(3) {
		x.PutExecution(execution(id+1, subjects.Completed), uint64(id+1))
	}
	e := execution(3, subjects.Completed)
	e.CreateTime = 1500
	x.PutExecution(e, 4)
	if page, hits := x.Executions("a", "j", 0, 9); !slices.Equal(ids(page), []int64{2, 3, 1}) || hits != 3 {
		t.Errorf("%v of %d, want 2, 3, 1", ids(page), hits)
	}
	if p := x.FindExecutions(&ExecutionQuery{After: 3, Limit: 9}); !slices.Equal(ids(p.Results), []int64{1}) || p.Offset != 2 {
		t.Errorf("after it: %v, offset %d; want 1, offset 2", ids(p.Results), p.Offset)
	}
}

// Names that are too long, or too many, share one number.
func TestNames(t *testing.T) {
	t.Parallel()
	n := newNames()
	long := strings.Repeat("x", longName)
	for _, name := range []string{"", "agent-1", "夜間", long} {
		number := n.numberOf(name)
		if again := n.numberOf(name); n.nameOf(number) != name || again != number || number == tooMany {
			t.Errorf("%.20q has the numbers %d and %d, which is %.20q", name, number, again, n.nameOf(number))
		}
	}
	if number := n.numberOf(long + "x"); number != tooMany {
		t.Errorf("a name that is too long has the number %d", number)
	}
	for i := range maxNames {
		n.numberOf(fmt.Sprint(i))
	}
	if len(n.all) != maxNames || n.nameOf(n.numberOf("one more")) != tooManyAs || n.nameOf(n.numberOf("17")) != "17" {
		t.Errorf("%d names; one more is %q", len(n.all), n.nameOf(n.numberOf("one more")))
	}
}
