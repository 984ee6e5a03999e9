package catalog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/nats-io/nats-server/v2/server"
)

// jobsOf are the jobs of an application, as they are found by name, with a
// definition that says which one it is.
type jobsOf struct {
	*testing.T
	*bus.Bus
	c *Catalog
}

func newJobs(t *testing.T, s *server.Server, cfg bus.Config) jobsOf {
	b := bustest.Open(t, s, cfg)
	return jobsOf{t, b, New(Config{Bus: b})}
}

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

func (b jobsOf) create(name, mark string) (bus.Entry[bus.Job], error) {
	return b.c.createJob(b.Context(), bus.Job{App: "a", Name: name, Definition: []byte(`"` + mark + `"`)})
}

func (b jobsOf) rename(from, to string) error {
	was, err := b.JobNamed(b.Context(), "a", from)
	if err != nil {
		return err
	}
	is := was.Value
	is.Name = to
	_, err = b.c.renameJob(b.Context(), was, is)
	return err
}

func (b jobsOf) remove(name string) error {
	was, err := b.JobNamed(b.Context(), "a", name)
	if err != nil {
		return err
	}
	return b.c.removeJob(b.Context(), was)
}

// found is name=mark of those names that are a job's.
func (b jobsOf) found(names ...string) string {
	b.Helper()
	var all []string
	for _, name := range names {
		e, err := b.JobNamed(b.Context(), "a", name)
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, name+"="+strings.Trim(string(e.Value.Definition), `"`))
		if by, err := b.Job(b.Context(), "a", e.Value.PermanentKey); err != nil || by.Revision != e.Revision {
			b.Errorf("job %s by its key %s: %v at %d, want it at %d", name, e.Value.PermanentKey, err, by.Revision, e.Revision)
		}
	}
	return strings.Join(all, " ")
}

func TestNamesOfJobs(t *testing.T) {
	for _, names := range [][]string{{"X", "Y", "Z"}, {"X.1", "夜間バッチ", "Z"}, {"X", "Y.", "夜"}} {
		t.Run(strings.Join(names, ", "), func(t *testing.T) {
			t.Parallel()
			nameJobs(t, strings.NewReplacer("X", names[0], "Y", names[1], "Z", names[2]), names)
		})
	}
}

// nameJobs makes, renames and deletes jobs X, Y and Z, whose names of now are
// those that called writes.
func nameJobs(t *testing.T, called *strings.Replacer, names []string) {
	jobs := newJobs(t, bustest.Server(t), bus.Config{})
	for _, step := range []struct {
		do   string // create NAME MARK, rename FROM TO, delete NAME
		err  error
		want string // what X, Y and Z are then
	}{
		{"create X one", nil, "X=one"},
		{"create X two", bus.ErrExists, "X=one"},
		{"rename X Y", nil, "Y=one"},
		{"rename X Y", bus.ErrNotFound, "Y=one"},
		{"create Y two", bus.ErrExists, "Y=one"},
		{"create X two", nil, "X=two Y=one"},
		{"create X three", bus.ErrExists, "X=two Y=one"},
		{"rename Y X", bus.ErrExists, "X=two Y=one"},
		{"rename X Y", bus.ErrExists, "X=two Y=one"},
		{"rename Y Z", nil, "X=two Z=one"},
		{"create Y three", nil, "X=two Y=three Z=one"},
		{"delete Z", nil, "X=two Y=three"},
		{"rename Y Z", nil, "X=two Z=three"},
		{"rename X Y", nil, "Y=two Z=three"},
		{"rename Z X", nil, "X=three Y=two"},
		{"rename Y Z", nil, "X=three Z=two"},
		{"delete X", nil, "Z=two"},
		{"create X four", nil, "X=four Z=two"},
		{"delete Z", nil, "X=four"},
		{"delete X", nil, ""},
		{"create X five", nil, "X=five"},
		{"rename X Y", nil, "Y=five"},
		{"rename Y X", nil, "X=five"}, // over the marker of what was deleted at Y
		{"rename X Y", nil, "Y=five"},
		{"delete Y", nil, ""},
	} {
		var verb, one, two string
		step.do, step.want = called.Replace(step.do), called.Replace(step.want)
		_, _ = fmt.Sscan(step.do, &verb, &one, &two)
		var err error
		switch verb {
		case "create":
			_, err = jobs.create(one, two)
		case "rename":
			err = jobs.rename(one, two)
		default:
			err = jobs.remove(one)
		}
		if !errors.Is(err, step.err) {
			t.Fatalf("%s: %v, want %v", step.do, err, step.err)
		}
		if got := jobs.found(names...); got != step.want {
			t.Fatalf("%s: %q, want %q", step.do, got, step.want)
		}
	}
	left, err := jobs.Jobs.List(t.Context(), ">")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Whoever does what at once, no job is lost, none has two names, and no name
// two jobs.
func TestNamesOfJobsInARace(t *testing.T) {
	t.Run("with one server", func(t *testing.T) {
		t.Parallel()
		server := bustest.Server(t)
		raceForNames(t, 100, func() jobsOf { return newJobs(t, server, bus.Config{}) })
	})
	t.Run("with three", func(t *testing.T) {
		t.Parallel()
		servers, next := bustest.Cluster(t), 0
		raceForNames(t, 50, func() jobsOf {
			next++
			return newJobs(t, servers[next%len(servers)], bus.Config{Replicas: 3})
		})
	})
}

func raceForNames(t *testing.T, n int, open func() jobsOf) {
	names := []string{"A", "B.1", "B.2", "D", "夜"}
	var mu sync.Mutex
	there := map[string]bool{} // marks of jobs
	note := func(mark string, is bool) {
		mu.Lock()
		defer mu.Unlock()
		there[mark] = is
	}
	var all sync.WaitGroup
	for who := range 4 {
		b := open()
		all.Go(func() {
			for i := range n {
				one, two := names[rand.IntN(len(names))], names[rand.IntN(len(names))]
				mark := fmt.Sprintf("%d.%d", who, i)
				var err error
				switch rand.IntN(4) {
				case 0:
					note(mark, true) // before: somebody may delete it at once
					if _, err = b.create(one, mark); err != nil {
						note(mark, false)
					}
				case 1:
					err = b.drop(one, note)
				default:
					if one != two {
						err = b.rename(one, two)
					}
				}
				if err != nil && !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrExists) && !errors.Is(err, bus.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b := open()
	var got, want []string
	for _, s := range strings.Fields(b.found(names...)) {
		_, mark, _ := strings.Cut(s, "=")
		got = append(got, mark)
	}
	for mark, is := range there {
		if is {
			want = append(want, mark)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("jobs that are found: %q, want %q", got, want)
	}
}

// drop is remove that notes which job it was.
func (b jobsOf) drop(name string, note func(mark string, is bool)) error {
	was, err := b.JobNamed(b.Context(), "a", name)
	if err != nil {
		return err
	}
	if err := b.c.removeJob(b.Context(), was); err != nil {
		return err
	}
	note(strings.Trim(string(was.Value.Definition), `"`), false)
	return nil
}

// Nobody can take a name that is the key of another one.
func TestNameLikeAKey(t *testing.T) {
	b := newJobs(t, bustest.Server(t), bus.Config{})
	key := bus.NameKey("a.b")
	var field *bus.FieldError
	if _, err := b.create(key, "thief"); !errors.As(err, &field) || field.Path != "/id" {
		t.Errorf("create %s: %v, want a FieldError", key, err)
	}
	for _, name := range []string{"a.b", "ab", "a.b.c"} {
		if _, err := b.create(name, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.rename("ab", key); !errors.As(err, &field) {
		t.Errorf("rename to %s: %v, want a FieldError", key, err)
	}
	for _, name := range []string{"a b", "a/b", "", ".a", "a\n", strings.Repeat("夜", 129)} {
		if _, err := b.create(name, "x"); !errors.As(err, &field) {
			t.Errorf("create %q: %v, want a FieldError", name, err)
		}
	}
	// One that was named so before is not mistaken for the job that the name is
	// a key of.
	old := bus.Job{App: "b", Name: key, PermanentKey: key, Definition: []byte(`"old"`)}
	if _, err := b.Jobs.Create(t.Context(), old.Key(), old); err != nil {
		t.Fatal(err)
	}
	if e, err := b.JobNamed(t.Context(), "b", "a.b"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a.b is found as %+v, %v", e.Value, err)
	}
	if e, err := b.JobNamed(t.Context(), "b", key); err != nil || e.Value.Name != key {
		t.Errorf("%s is found as %+v, %v", key, e.Value, err)
	}
	if _, err := b.c.createJob(t.Context(), bus.Job{App: "b", Name: "a.b", Definition: []byte("1")}); !errors.Is(err, bus.ErrExists) {
		t.Errorf("create a.b: %v, want ErrExists", err)
	}
	if got := fmt.Sprint(b.found("a.b", "ab", "a.b.c")); got != "a.b=a.b ab=ab a.b.c=a.b.c" {
		t.Error(got)
	}
}
