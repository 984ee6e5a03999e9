package bus_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job is found by its permanent key and by its present name; a name that has
// moved on, or that only points to a job, is told apart.
func TestJobsByKeyAndName(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	definition := []byte(`{"id":"x"}`)
	derived := bus.NameKey("Umsätze")
	for key, j := range map[string]bus.Job{
		"plain":     {App: "a", Name: "plain", PermanentKey: "plain", Definition: definition},
		"former":    {App: "a", Name: "present", PermanentKey: "former", Definition: definition}, // renamed
		"present":   {App: "a", NameOf: "former"},
		"both":      {App: "a", Name: "both", PermanentKey: "both", Definition: definition, NameOf: "former"},
		derived:     {App: "a", Name: "Umsätze", Definition: definition}, // stored by an earlier version
		"dangling":  {App: "a", NameOf: "no-such-job"},
		"misguided": {App: "a", NameOf: "plain"},
	} {
		if _, err := b.Jobs.Create(t.Context(), bus.JobKey("a", key), j); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ find, name, want string }{ // want is a permanent key; empty: not found
		{"name", "plain", "plain"},
		{"name", "present", "former"},
		{"name", "both", "both"},
		{"name", "Umsätze", derived},
		{"name", "former", ""},
		{"name", "dangling", ""},
		{"name", "misguided", ""},
		{"name", "none", ""},
		{"name", "", ""},
		{"key", "plain", "plain"},
		{"key", "former", "former"},
		{"key", derived, derived},
		{"key", "present", ""},
		{"key", "none", ""},
	} {
		find := b.Job
		if tt.find == "name" {
			find = b.JobNamed
		}
		e, err := find(t.Context(), "a", tt.name)
		switch {
		case tt.want == "" && !errors.Is(err, bus.ErrNotFound):
			t.Errorf("by the %s %q: %+v, %v; want %v", tt.find, tt.name, e.Value, err, bus.ErrNotFound)
		case tt.want != "" && (err != nil || e.Value.PermanentKey != tt.want || e.Value.Key() != bus.JobKey("a", tt.want)):
			t.Errorf("by the %s %q: key %q, %v; want %q", tt.find, tt.name, e.Value.PermanentKey, err, tt.want)
		}
	}
	if _, err := b.Job(t.Context(), "other", "plain"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("the job of another application: %v", err)
	}
	if e, err := b.JobsEntry(t.Context(), "a", "present"); err != nil || e.Value.NameOf != "former" {
		t.Errorf("the entry of a name = %+v, %v", e.Value, err)
	}
}

func TestNamesOfJobs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{ // the beginning of what is wanted; empty: the name is good
		"nightly":                       "",
		"_nightly-2.0":                  "",
		"夜間バッチ":                         "",
		strings.Repeat("a", 40):         "",
		"a--b":                          "",
		"a--" + strings.Repeat("b", 25): "",
		"a--" + strings.Repeat("b", 26): "a name that does not end",
		"a--" + strings.Repeat("B", 26): "",
		"a--" + strings.Repeat("1", 26): "",
		"":                              "any",
		"two words":                     "any",
		"a/b":                           "any",
		"a\x00":                         "any",
		"a\n":                           "any",
		"-a":                            "",
		"1a":                            "",
		strings.Repeat("a", 10_000):     "any",
	} {
		err := bus.CheckJobName(name)
		var wrong *bus.FieldError
		switch {
		case want == "" && err != nil:
			t.Errorf("%.30q: %v", name, err)
		case want != "" && (!errors.As(err, &wrong) || wrong.Path != "/id" || wrong.Got != name):
			t.Errorf("%.30q: %v, want a refusal", name, err)
		case want != "" && want != "any" && !strings.HasPrefix(wrong.Want, want):
			t.Errorf("%.30q: want %s, want it to begin with %q", name, wrong.Want, want)
		}
		if err == nil && !subjects.ValidName(bus.NameKey(name)) {
			t.Errorf("%.30q has the key %q, which no subject can hold", name, bus.NameKey(name))
		}
	}
	// The reason for the rule: no job may be called like the key of another.
	if err := bus.CheckJobName(bus.NameKey("a.b")); err == nil {
		t.Error("a job may be called like the key of another job")
	}
}

func TestRevisionOfAnEdit(t *testing.T) {
	t.Parallel()
	if got := bus.EditOf(bus.Entry[bus.Job]{Revision: 7}); got != 7 {
		t.Errorf("EditOf a job that was only edited = %d, want 7", got)
	}
	if got := bus.EditOf(bus.Entry[bus.Job]{Revision: 7, Value: bus.Job{Edit: 4}}); got != 4 {
		t.Errorf("EditOf a job whose name_of changed later = %d, want 4", got)
	}
}

func TestNotificationsWithoutOne(t *testing.T) {
	t.Parallel()
	s := bus.Settings{Notifications: []bus.StatusNotification{{ID: 1}, {ID: 2}, {ID: 3}}}
	for id, want := range map[int64][]int64{1: {2, 3}, 2: {1, 3}, 3: {1, 2}, 4: {1, 2, 3}, 0: {1, 2, 3}} {
		rest, found := s.Without(id)
		var got []int64
		for _, n := range rest {
			got = append(got, n.ID)
		}
		if !slices.Equal(got, want) || found != (len(want) == 2) {
			t.Errorf("Without(%d) = %v, %v, want %v", id, got, found, want)
		}
		if len(s.Notifications) != 3 || s.Notifications[0].ID != 1 || s.Notifications[2].ID != 3 {
			t.Fatalf("Without(%d) changed the settings: %+v", id, s.Notifications)
		}
	}
	if rest, found := (&bus.Settings{}).Without(1); len(rest) != 0 || found {
		t.Errorf("without notifications: %v, %v", rest, found)
	}
}

// The lists that clients choose from.
func TestListsOfWords(t *testing.T) {
	t.Parallel()
	if got, want := bus.StatusNames(bus.Notifiable()), "starting, started, stopping, stopped, failed, completed, abandoned, unknown"; got != want {
		t.Errorf("a notification can ask for %s, want %s", got, want)
	}
	if got := bus.StatusNames(nil); got != "" {
		t.Errorf("no statuses are called %q", got)
	}
	for _, status := range bus.Notifiable() {
		if !slices.Contains(subjects.BatchStatuses(), status) {
			t.Errorf("%s is no batch status", status)
		}
	}
	if got := strings.Join(bus.Actions(), " "); got != "alert stop abandon" {
		t.Errorf("actions of a time monitor: %s", got)
	}
	if err := bus.NoSuchApp("shop"); !bus.HasCode(err, bus.CodeNoSuchApp) || !strings.Contains(err.Error(), "shop") {
		t.Errorf("NoSuchApp = %v", err)
	}
	if got := bus.SamplesKey("linux-1", "day"); got != "linux-1.day" {
		t.Errorf("SamplesKey = %s", got)
	}
}
