package audit

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fullRow returns a row in which every field has a value.
func fullRow(i int) Row {
	return Row{
		Time: subjects.Time(1_700_000_000_000 + int64(i)), Bus: "bus-1", User: "ann", Key: "ci", Address: "192.0.2.7", Action: "put-job", Kind: "job",
		App: "shop", Job: "nightly", Name: fmt.Sprint("4711", i), Code: "outcome_unknown",
		Changes: []bus.Change{{Key: "jobs/shop.nightly", Before: 3, After: 4}, {Key: "schedules/shop.nightly", Before: 1, After: 2}},
		Omitted: 2, Anchor: &Mark{12, strings.Repeat("a", 64)},
	}
}

// chainOf returns a chain of n rows that follows a mark.
func chainOf(t *testing.T, after Mark, n int) (chain [][]byte, head Mark) {
	t.Helper()
	for i := range n {
		r := fullRow(i)
		r.Number, r.Previous = after.Number+1, after.Hash
		data, err := encodeRow(&r)
		if err != nil {
			t.Fatal(err)
		}
		chain, after = append(chain, data), Mark{r.Number, Hash(data)}
	}
	return chain, after
}

// numbered returns rows with sequences from first on, without rows that are
// nil.
func numbered(first uint64, chain [][]byte) iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		for i, data := range chain {
			if data != nil && !yield(first+uint64(i), data) {
				return
			}
		}
	}
}

const rows = 5

func TestWholeChainHasNoFaults(t *testing.T) {
	t.Parallel()
	chain, head := chainOf(t, origin, rows)
	for _, kept := range []string{"", head.Hash, Hash(chain[0]), Hash(chain[2])} {
		if r := Verify(numbered(1, chain), rows, kept); len(r.Faults) > 0 || r.Rows != rows || r.First != 1 || r.Head != head {
			t.Errorf("head %s: %+v, want %d rows with the head %v and no faults", kept, r, rows, head)
		}
	}
	if r := Verify(numbered(1, nil), 0, ""); len(r.Faults) > 0 {
		t.Errorf("an empty audit: %+v", r)
	}
}

// Each change of a row is one of a member at any depth, a member that is gone, or
// one more.
func TestChangedRowIsFound(t *testing.T) {
	t.Parallel()
	chain, head := chainOf(t, origin, rows)
	if v := reflect.ValueOf(fullRow(1)); true {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Number" && name != "Previous" {
				t.Errorf("the field %s has no value that could be changed", name)
			}
		}
	}
	changes := 0
	for i, stored := range chain {
		for what, changed := range changedRows(t, stored) {
			changes++
			forged := slices.Clone(chain)
			forged[i] = changed
			if r := Verify(numbered(1, forged), rows, head.Hash); len(r.Faults) == 0 {
				t.Errorf("row %d with %s: no fault", i+1, what)
			}
			if r := Verify(numbered(1, forged), rows, ""); len(r.Faults) == 0 && i+1 < rows {
				t.Errorf("row %d with %s: no fault without a head, want one: another row follows", i+1, what)
			}
		}
	}
	if want := rows * 2 * reflect.TypeFor[Row]().NumField(); changes < want {
		t.Errorf("only %d changes, want at least %d", changes, want)
	}
}

// changedRows returns a row with each of its values changed, and without each of
// its members.
func changedRows(t *testing.T, stored []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"a space": append([]byte(" "), stored...), "no content": []byte("{}"), "no JSON": []byte("x")}
	var row any
	walk := func() (paths []string) {
		if err := json.Unmarshal(stored, &row); err != nil {
			t.Fatal(err)
		}
		visitMembers(row, "", func(path string, _ map[string]any, _ string) { paths = append(paths, path) })
		return paths
	}
	for _, path := range walk() {
		for _, how := range []string{"changed", "removed"} {
			walk()
			visitMembers(row, "", func(at string, in map[string]any, name string) {
				switch v := in[name].(type) {
				case nil:
				case string:
					in[name] = map[bool]any{true: v + "x", false: v}[at == path]
				case float64:
					in[name] = map[bool]any{true: v + 1, false: v}[at == path]
				default:
					if at == path {
						in[name] = nil
					}
				}
				if at == path && how == "removed" {
					delete(in, name)
				}
			})
			changed, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			all[path+" "+how] = changed
		}
	}
	return all
}

// visitMembers calls visit for each member of a value, at any depth.
func visitMembers(v any, path string, visit func(path string, in map[string]any, name string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			visit(path+"/"+name, v, name)
			visitMembers(v[name], path+"/"+name, visit)
		}
	case []any:
		for i := range v {
			visitMembers(v[i], fmt.Sprint(path, "/", i), visit)
		}
	}
}

func TestMissingAndMovedRowsAreFound(t *testing.T) {
	t.Parallel()
	chain, head := chainOf(t, origin, rows)
	forged, _ := chainOf(t, Mark{2, strings.Repeat("b", 64)}, 3)
	edited := func(edit func(c [][]byte) [][]byte) [][]byte { return edit(slices.Clone(chain)) }
	for _, c := range []struct {
		name  string
		chain [][]byte
		head  string // that was kept elsewhere
		last  uint64 // as the broker counts
	}{
		{"the first is gone", edited(func(c [][]byte) [][]byte { c[0] = nil; return c }), "", rows},
		{"the second is gone", edited(func(c [][]byte) [][]byte { c[1] = nil; return c }), "", rows},
		{"the last is gone, the broker counts it", chain[:rows-1], "", rows},
		{"the last is gone, its hash was kept", chain[:rows-1], head.Hash, rows - 1},
		{"all are gone", nil, "", rows},
		{"all are gone, the head was kept", nil, head.Hash, 0},
		{"the second is gone and others took its place", slices.Delete(slices.Clone(chain), 1, 2), "", rows - 1},
		{"two changed places", edited(func(c [][]byte) [][]byte { c[1], c[2] = c[2], c[1]; return c }), "", rows},
		{"the last two changed places", edited(func(c [][]byte) [][]byte { c[3], c[4] = c[4], c[3]; return c }), "", rows},
		{"all are in the other order", edited(func(c [][]byte) [][]byte { slices.Reverse(c); return c }), "", rows},
		{"one is there twice", append(slices.Clone(chain), chain[rows-1]), "", rows + 1},
		{"the end was written anew", append(slices.Clone(chain[:2]), forged...), "", rows},
		{"the chain was written anew", forged, head.Hash, rows},
	} {
		if r := Verify(numbered(1, c.chain), c.last, c.head); len(r.Faults) == 0 {
			t.Errorf("%s: no fault", c.name)
		}
	}
}

// A chain without its oldest rows is whole if a row states the anchor.
func TestAnchorIsVerified(t *testing.T) {
	t.Parallel()
	before, anchor := chainOf(t, origin, rows)
	for _, c := range []struct {
		name   string
		stated *Mark
		head   string
		whole  bool
	}{
		{"the anchor is stated", &anchor, "", true},
		{"no anchor is stated", nil, "", false},
		{"another row is stated", &Mark{anchor.Number - 1, anchor.Hash}, "", false},
		{"another hash is stated", &Mark{anchor.Number, origin.Hash}, "", false},
		{"the kept head is the anchor", &anchor, anchor.Hash, true},
		{"the kept head was purged", &anchor, Hash(before[0]), false},
	} {
		r := Row{Number: anchor.Number + 1, Previous: anchor.Hash, User: Bus, Anchor: c.stated}
		data, err := encodeRow(&r)
		if err != nil {
			t.Fatal(err)
		}
		chain := [][]byte{data}
		more, head := chainOf(t, Mark{r.Number, Hash(data)}, 2)
		got := Verify(numbered(r.Number, append(chain, more...)), head.Number, c.head)
		if (len(got.Faults) == 0) != c.whole {
			t.Errorf("%s: %v, want whole %v", c.name, got.Faults, c.whole)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	chain := make([][]byte, 100)
	for i := range chain {
		chain[i] = []byte("{}")
	}
	if r := Verify(numbered(1, chain), 100, ""); len(r.Faults) != maxFaults {
		t.Errorf("%d faults, want %d", len(r.Faults), maxFaults)
	}
}
