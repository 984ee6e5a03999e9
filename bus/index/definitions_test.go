package index

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func jobNamed(name string) *bus.Job {
	return &bus.Job{App: "a", Name: name, Definition: json.RawMessage(`{"id":"x","steps":[{"id":"s"}]}`)}
}

func TestApplications(t *testing.T) {
	x := New(nil)
	x.PutApp("b", &bus.App{Name: "b", Description: "second"}, 2)
	x.PutApp("a", &bus.App{Name: "a"}, 3)
	x.PutApp("c", &bus.App{Name: "c"}, 4)
	x.PutApp("b", &bus.App{Name: "b", Description: "first"}, 1) // an older write arrives late
	x.PutApp("c", nil, 5)
	var names []string
	for _, a := range x.Apps() {
		names = append(names, a.Name)
	}
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("applications %v, want a and b", names)
	}
	if a, rev, ok := x.App("b"); !ok || rev != 2 || a.Description != "second" {
		t.Errorf("App(b) = %+v at %d, %v; want the second at 2", a, rev, ok)
	}
	for _, name := range []string{"c", "none"} {
		if a, _, ok := x.App(name); ok {
			t.Errorf("App(%s) = %+v, want none", name, a)
		}
	}
	x.PutApp("c", &bus.App{Name: "c"}, 4) // the echo of a write before the deletion
	if _, _, ok := x.App("c"); ok {
		t.Error("an echo brought a deleted application back")
	}
}

func TestJobs(t *testing.T) {
	x := New(bustest.Open(t, bustest.Server(t), bus.Config{})) // for its log
	key := bus.NameKey("Umsätze laden")
	x.PutJob("a", key, jobNamed("Umsätze laden"), 1)
	x.PutJob("a", "j", jobNamed("j"), 2)
	x.PutJob("b", "k", jobNamed("k"), 3)
	x.PutJob("a", "reserved", &bus.Job{App: "a", Name: "reserved"}, 4)
	x.PutJob("a", "broken", &bus.Job{App: "a", Name: "broken", Definition: json.RawMessage(`{`)}, 5)

	t.Run("by name and by permanent key", func(t *testing.T) {
		if got, ok := x.PermanentKey("a", "Umsätze laden"); !ok || got != key {
			t.Errorf("the key is %s, %v; want %s", got, ok, key)
		}
		if got := x.JobName("a", key); got != "Umsätze laden" {
			t.Errorf("the name is %s", got)
		}
		if got := x.JobName("a", "unknown"); got != "unknown" {
			t.Errorf("the name of an unknown job is %s, want its key", got)
		}
		for _, name := range []string{"k", "reserved", "none"} {
			if got, ok := x.PermanentKey("a", name); ok {
				t.Errorf("application a has a job %s with the key %s", name, got)
			}
		}
	})
	t.Run("a definition that is not understood is listed, so that it can be deleted", func(t *testing.T) {
		if j, ok := x.Job("a", "broken"); !ok || j.Name != "broken" {
			t.Errorf("Job(broken) = %+v, %v", j, ok)
		}
	})
	t.Run("counts are those of one application", func(t *testing.T) {
		if a, b, none := x.CountJobs("a"), x.CountJobs("b"), x.CountJobs("none"); a != 3 || b != 1 || none != 0 {
			t.Errorf("%d, %d and %d jobs, want 3, 1 and 0", a, b, none)
		}
		keys := x.JobKeys("b")
		if !slices.Equal(keys, []string{"k"}) {
			t.Errorf("keys of b: %q", keys)
		}
	})
	t.Run("a start needs no counts", func(t *testing.T) {
		def, parsed, ok := x.Definition("a", "j")
		if !ok || def.Name != "j" || parsed == nil {
			t.Errorf("Definition(j) = %+v, %v, %v", def, parsed, ok)
		}
		if _, _, ok := x.Definition("a", "reserved"); ok {
			t.Error("a reserved name has a definition")
		}
	})
	t.Run("a rename keeps the first name and the key", func(t *testing.T) {
		x.PutJob("a", key, jobNamed("sales"), 6)
		if first, now := x.FirstName("a", key), x.JobName("a", key); first != "Umsätze laden" || now != "sales" {
			t.Errorf("first %s, now %s", first, now)
		}
		if first := x.FirstName("a", "unknown"); first != "unknown" {
			t.Errorf("the first name of an unknown job is %s, want its key", first)
		}
		if _, ok := x.PermanentKey("a", "Umsätze laden"); ok {
			t.Error("the former name still finds the job")
		}
	})
	t.Run("a deleted job with executions is found by its name", func(t *testing.T) {
		x.PutExecution(execution(1, subjects.Completed), 1)
		x.PutJob("a", "j", nil, 7)
		if got, ok := x.PermanentKey("a", "j"); !ok || got != "j" {
			t.Errorf("PermanentKey(j) = %s, %v", got, ok)
		}
		if _, ok := x.Job("a", "j"); ok || x.CountJobs("a") != 2 {
			t.Errorf("the job is still there, or counted: %d", x.CountJobs("a"))
		}
		x.Remove("a", "j", 1)
		if _, ok := x.PermanentKey("a", "j"); ok {
			t.Error("a deleted job without executions is found")
		}
	})
}

// The notation that a client sent is as large as a hundred definitions. The
// index only keeps that there is one.
func TestNotationIsNotKept(t *testing.T) {
	x := New(nil)
	j := jobNamed("j")
	j.Notation = &bus.Notation{BPMN: "<job/>"}
	x.PutJob("a", "j", j, 1)
	got, _ := x.Job("a", "j")
	if got.Notation == nil || got.Notation.BPMN != "" {
		t.Errorf("the notation is %+v, want one without its text", got.Notation)
	}
	if j.Notation.BPMN == "" {
		t.Error("the caller's job was changed")
	}
}

func TestPagesOfJobs(t *testing.T) {
	x := New(nil)
	for i, name := range []string{"c", "a", "e", "b", "d"} {
		x.PutJob("a", name, jobNamed(name), uint64(i+1))
	}
	x.PutJob("other", "f", jobNamed("f"), 9)
	most := int(^uint(0) >> 1)
	byRevision := func(a, b *Job) int { return int(a.Revision) - int(b.Revision) }
	for _, tt := range []struct {
		name string
		q    JobQuery
		want string
		hits int
	}{
		{"all by name", JobQuery{Limit: 10}, "abcde", 5},
		{"a page", JobQuery{Offset: 1, Limit: 2}, "bc", 5},
		{"the last page", JobQuery{Offset: 4, Limit: 2}, "e", 5},
		{"behind the end", JobQuery{Offset: 5, Limit: 2}, "", 5},
		{"the largest numbers", JobQuery{Offset: most, Limit: most}, "", 5},
		{"any of the words", JobQuery{Words: []string{"d", "a"}, Limit: 10}, "ad", 2},
		{"a condition", JobQuery{Match: func(j *Job) bool { return j.Name > "c" }, Limit: 1}, "d", 2},
		{"another order", JobQuery{Less: byRevision, Limit: 10}, "caebd", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.App = "a"
			page, hits := x.Jobs(tt.q)
			got := ""
			for _, j := range page {
				got += j.Name
			}
			if got != tt.want || hits != tt.hits {
				t.Errorf("%s of %d, want %s of %d", got, hits, tt.want, tt.hits)
			}
		})
	}
}

func TestSchedules(t *testing.T) {
	x := New(nil)
	key := bus.NewScheduleKey("a", "j", "")
	var changed []bus.ScheduleKey
	x.OnSchedule(func(key bus.ScheduleKey) { changed = append(changed, key) })
	x.PutSchedule(key, &bus.Schedule{App: "a", Job: "j", Cron: "0 0 3 * * ?"}, 7)
	// An older write arrives late.
	x.PutSchedule(key, &bus.Schedule{App: "a", Job: "j", Cron: "0 0 1 * * ?"}, 6)
	if v, rev := x.StoredSchedule(key); v == nil || v.Cron != "0 0 3 * * ?" || rev != 7 {
		t.Errorf("the stored schedule is %+v at %d", v, rev)
	}
	if _, ok := x.Schedule(key); ok {
		t.Error("a schedule without a job")
	}
	x.PutJob("a", "j", jobNamed("j"), 1)
	all := x.Schedules()
	if len(all) != 1 || all[0].Revision != 7 || all[0].Key != "a.j" || all[0].Value.Cron != "0 0 3 * * ?" {
		t.Errorf("schedules: %+v", all)
	}
	if j, _ := x.Job("a", "j"); j.Schedule == nil || len(j.Schedules) != 1 {
		t.Errorf("the job has the schedules %+v", j.Schedules)
	}
	if keys := x.ScheduleKeys(); !slices.Equal(keys, []bus.ScheduleKey{key}) {
		t.Errorf("keys: %v", keys)
	}
	x.PutCalendar("c", &bus.Calendar{}, 1)
	x.PutSchedule(key, nil, 8)
	if v, rev := x.StoredSchedule(key); v != nil || rev != 8 || len(x.Schedules()) != 0 || len(x.ScheduleKeys()) != 0 {
		t.Errorf("after the removal: %+v at %d, %+v", v, rev, x.Schedules())
	}
	if want := []bus.ScheduleKey{key, {}, key}; !slices.Equal(changed, want) {
		t.Errorf("changes %v, want %v", changed, want)
	}
}

func TestPromised(t *testing.T) {
	x := New(nil)
	promise := func(name string) *bus.Job {
		j := jobNamed(name)
		j.Settings.SLA = &bus.SLA{StartWithin: "10m"}
		return j
	}
	want := func(want ...Promised) {
		t.Helper()
		got := x.Promised()
		slices.SortFunc(got, func(a, b Promised) int { return strings.Compare(a.App+a.Key, b.App+b.Key) })
		if len(got) != len(want) {
			t.Fatalf("promised %+v, want %+v", got, want)
		}
		for i := range got {
			if w := want[i]; got[i].App != w.App || got[i].Key != w.Key || got[i].Newest != w.Newest || got[i].SLA.StartWithin != "10m" {
				t.Errorf("promised %+v, want %+v", got[i], w)
			}
		}
	}
	x.PutJob("a", "j", promise("j"), 1)
	x.PutJob("a", "k", jobNamed("k"), 2)
	x.PutJob("b", "j", promise("j"), 3)
	want(Promised{App: "a", Key: "j"}, Promised{App: "b", Key: "j"})
	for id, created := range map[int64]subjects.Time{7: 2000, 8: 3000, 9: 1000} {
		x.PutExecution(&bus.Execution{Execution: subjects.Execution{ID: id, App: "a", Job: "j", CreateTime: created}}, uint64(id))
	}
	x.PutJob("a", "k", promise("k"), 4)
	x.PutJob("b", "j", nil, 5)
	want(Promised{App: "a", Key: "j", Newest: 3000}, Promised{App: "a", Key: "k"})
	x.PutJob("a", "j", jobNamed("j"), 6)
	want(Promised{App: "a", Key: "k"})
}
