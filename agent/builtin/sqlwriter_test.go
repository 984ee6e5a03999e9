package builtin_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

// records returns items with the ids of a range.
func records(from, to int) []builtin.Record {
	var all []builtin.Record
	for i := from; i <= to; i++ {
		all = append(all, builtin.Record{"id": int64(i), "name": fmt.Sprint("n", i)})
	}
	return all
}

// attempt is a writer of one attempt at a step.
type attempt struct {
	t      *testing.T
	writer agent.ItemWriter[builtin.Record]
	log    bytes.Buffer
}

// newAttempt opens a writer at a checkpoint.
func newAttempt(t *testing.T, c builtin.Config, properties map[string]string, last string, change func(*agent.StepContext)) (*attempt, error) {
	t.Helper()
	a := &attempt{t: t}
	s := agent.NewStepContext(nil, nil)
	s.App, s.Job, s.Step, s.Run, s.ExecutionID, s.Attempt = "app", "job", t.Name(), "run 1", 7, 1
	s.JobContext = agent.NewJobContext()
	s.JobContext.InstanceID = 7
	s.Properties = with(map[string]string{"data_source": "SHOP", "sql": "insert into t (id, name) values (:id, :name)"})
	s.Log = slog.New(slog.NewTextHandler(&a.log, nil))
	for name, value := range properties {
		s.Properties[name] = value
	}
	if change != nil {
		change(s)
	}
	var err error
	if a.writer, err = c.Writers()[builtin.SQLWriter](s); err == nil {
		err = a.open(last)
	}
	return a, err
}

func (a *attempt) open(last string) error {
	return a.writer.Open(a.t.Context(), agent.Checkpoint(last))
}

func (a *attempt) close() {
	if err := a.writer.Close(a.t.Context()); err != nil {
		a.t.Error(err)
	}
}

func (a *attempt) write(items []builtin.Record) error {
	return a.writer.WriteItems(a.t.Context(), items)
}

// checkpoint checks what CheckpointInfo returns.
func (a *attempt) checkpoint(want string) {
	a.t.Helper()
	v, err := a.writer.CheckpointInfo(a.t.Context())
	if got, _ := json.Marshal(v); err != nil || string(got) != want {
		a.t.Errorf("the checkpoint is %s, %v; want %s", got, err, want)
	}
}

func (a *attempt) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// wantError checks that an error has a text.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSQLWriter(t *testing.T) {
	databases(t, func(t *testing.T, d builtin.DataSource, db *sql.DB) {
		c := builtin.Config{DataSources: map[string]builtin.DataSource{"SHOP": d, "OTHER": {Driver: d.Driver, DSN: d.DSN}}}
		execAll(t, db, "create table t (id int primary key, name varchar(40))")
		start := func(t *testing.T, properties map[string]string, last string, change func(*agent.StepContext)) *attempt {
			t.Helper()
			a, err := newAttempt(t, c, properties, last, change)
			a.must(err)
			t.Cleanup(a.close)
			return a
		}
		second := func(s *agent.StepContext) { s.Attempt = 2 }
		check := func(t *testing.T, want string) {
			t.Helper()
			if got := queryText(t, db, "select id from t order by id"); got != want {
				t.Errorf("the table has %s, want %s", got, want)
			}
		}
		for _, test := range []struct {
			name string
			run  func(t *testing.T)
		}{
			{"chunks", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.checkpoint("null")
				a.must(a.write(records(1, 3)))
				a.checkpoint(`{"items":3}`)
				a.must(a.write(records(4, 5)))
				a.checkpoint(`{"items":5}`)
				check(t, "1 2 3 4 5")
			}},
			{"a restart behind the last commit", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 3)))
				b := start(t, nil, `{"items":3}`, second)
				b.must(b.write(records(4, 6)))
				check(t, "1 2 3 4 5 6")
			}},
			{"a commit whose result was lost", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 3)))
				b := start(t, nil, "", second)
				if !strings.Contains(b.log.String(), "the next 3 items were written before the restart") {
					t.Errorf("the log is %s", b.log.String())
				}
				b.must(b.write(records(1, 3)))
				b.checkpoint(`{"items":3}`)
				b.must(b.write(records(4, 5)))
				b.checkpoint(`{"items":5}`)
				check(t, "1 2 3 4 5")
			}},
			{"chunks with other ends after the restart", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 5)))
				b := start(t, nil, "", second)
				b.must(b.write(records(1, 2)))
				b.checkpoint(`{"items":2}`)
				b.must(b.write(records(3, 7)))
				b.checkpoint(`{"items":7}`)
				third := start(t, nil, `{"items":2}`, func(s *agent.StepContext) { s.ExecutionID = 8 })
				third.must(third.write(records(3, 10)))
				check(t, "1 2 3 4 5 6 7 8 9 10")
			}},
			{"other items after the restart", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 5)))
				b := start(t, nil, "", second)
				b.must(b.write(records(1, 2)))
				wantError(t, b.write(records(4, 6)), "the items are not those that were written before the restart")
				third := start(t, map[string]string{"check_items": "no"}, `{"items":2}`, second)
				third.must(third.write(records(10, 13)))
				check(t, "1 2 3 4 5 13")
			}},
			{"a chunk that fails is not in the table", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(3, 3)))
				err := a.write(records(1, 5))
				wantError(t, err, "items 1 to 4 of the chunk: ")
				checkClass(t, err, builtin.SQLConstraint)
				check(t, "3")
				a.checkpoint(`{"items":1}`) // it was skipped
				a.must(a.write(records(6, 7)))
				a.checkpoint(`{"items":3}`)
				check(t, "3 6 7")
			}},
			{"a rollback, and items one by one", func(t *testing.T) {
				execAll(t, db, "insert into t values (2, 'there')")
				a := start(t, nil, "", nil)
				wantError(t, a.write(records(1, 3)), "of the chunk")
				a.close()
				a.must(a.open(""))
				a.must(a.write(records(1, 1)))
				a.checkpoint(`{"items":1}`)
				wantError(t, a.write(records(2, 2)), "item 1 of the chunk: ")
				a.checkpoint(`{"items":1}`)
				a.must(a.write(records(3, 3))) // its result is lost
				b := start(t, nil, `{"items":1}`, second)
				b.must(b.write(records(3, 4)))
				check(t, "1 2 3 4")
			}},
			{"a skipped chunk that was written in part before", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 2)))
				b := start(t, nil, "", second)
				wantError(t, b.write(append(records(1, 3), records(1, 1)...)), "of the chunk")
				b.checkpoint(`{"items":2}`)
				b.must(b.write(records(5, 6)))
				b.checkpoint(`{"items":4}`)
				check(t, "1 2 5 6")
			}},
			{"a step that begins anew", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 2)))
				b := start(t, nil, "", func(s *agent.StepContext) { s.ExecutionID, s.Run = 8, "run 2" })
				b.must(b.write(records(3, 4)))
				b.checkpoint(`{"items":2}`)
				check(t, "1 2 3 4")
			}},
			{"an old attempt that is not dead", func(t *testing.T) {
				a, err := newAttempt(t, c, nil, "", nil)
				a.must(err)
				a.must(a.write(records(1, 2)))
				b := start(t, nil, "", second)
				wantError(t, a.write(records(3, 4)), "attempt 2 of execution 7 writes the step")
				a.close()
				wantError(t, a.open(""), "attempt 2 of execution 7 writes the step")
				b.must(b.write(records(1, 4)))
				check(t, "1 2 3 4")
			}},
			{"partitions count for themselves", func(t *testing.T) {
				part := func(n int) func(*agent.StepContext) {
					return func(s *agent.StepContext) { s.Partition, s.Partitions = n, 2 }
				}
				a, b := start(t, nil, "", part(0)), start(t, nil, "", part(1))
				a.must(a.write(records(1, 2)))
				b.must(b.write(records(11, 13)))
				a.checkpoint(`{"items":2}`)
				b.checkpoint(`{"items":3}`)
			}},
			{"a row that was deleted", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 2)))
				execAll(t, db, "delete from jobstreamer_checkpoints")
				wantError(t, a.write(records(3, 4)), "was deleted while the step runs")
				_, err := newAttempt(t, c, nil, `{"items":2}`, second)
				wantError(t, err, "jobstreamer_checkpoints has 0 items of the step, want at least 2")
				check(t, "1 2")
			}},
			{"steps that differ in case", func(t *testing.T) {
				a := start(t, nil, "", func(s *agent.StepContext) { s.Step = "Load" })
				a.must(a.write(records(1, 2)))
				b := start(t, nil, "", func(s *agent.StepContext) { s.Step = "load" })
				b.must(b.write(records(3, 4)))
				check(t, "1 2 3 4")
			}},
			{"no checkpoint table", func(t *testing.T) {
				a := start(t, map[string]string{"checkpoint": "none"}, "", func(s *agent.StepContext) { s.Run = "" })
				a.must(a.write(records(1, 2)))
				a.checkpoint("null")
				wantError(t, a.write(records(2, 3)), "of the chunk")
				a.checkpoint("null")
				a.must(a.write(records(3, 4)))
				check(t, "1 2 3 4")
			}},
			{"a table of another name", func(t *testing.T) {
				a := start(t, map[string]string{"checkpoint_table": "my_checkpoints"}, "", nil)
				a.must(a.write(records(1, 2)))
				if got := queryText(t, db, "select items from my_checkpoints"); got != "2" {
					t.Errorf("it has %s", got)
				}
			}},
			{"an update, with a value of the job", func(t *testing.T) {
				execAll(t, db, "insert into t values (1, 'a'), (2, 'b'), (3, 'c')")
				a := start(t, map[string]string{"sql": "update t set name = :new where id = :id", "bind.new": "it's"}, "", nil)
				a.must(a.write(records(2, 3)))
				if got := queryText(t, db, "select name from t order by id"); got != "a it's it's" {
					t.Errorf("it has %s", got)
				}
			}},
			{"one key twice in a chunk", func(t *testing.T) {
				text := "insert into t (id, name) values (:id, upper(:name)) on duplicate key update name = values(name)"
				if d.Dialect == builtin.Postgres {
					text = "insert into t (id, name) values (:id, upper(:name)) on conflict (id) do update set name = excluded.name"
				}
				a := start(t, map[string]string{"sql": text}, "", nil)
				items := append(records(1, 5), records(2, 9)...)
				items[6]["name"] = "third"
				a.must(a.write(items))
				if got := queryText(t, db, "select name from t where id < 5 order by id"); got != "N1 N2 THIRD N4" {
					t.Errorf("it has %s", got)
				}
				check(t, "1 2 3 4 5 6 7 8 9")
			}},
			{"a thousand rows", func(t *testing.T) {
				a := start(t, nil, "", nil)
				a.must(a.write(records(1, 1000)))
				if got := queryText(t, db, "select concat(count(*), ' ', sum(id), ' ', max(name)) from t where name = concat('n', id)"); got != "1000 500500 n999" {
					t.Errorf("it has %s", got)
				}
			}},
			{"a column that is missing", func(t *testing.T) {
				a := start(t, nil, "", nil)
				wantError(t, a.write(append(records(1, 1), builtin.Record{"id": int64(2), "Name": "x"})), "item 2 of the chunk: want the column name for :name, got the columns Name, id")
				check(t, "")
			}},
			{"a value that does not fit", func(t *testing.T) {
				a := start(t, nil, "", nil)
				checkClass(t, a.write([]builtin.Record{{"id": int64(1), "name": strings.Repeat("x", 41)}}), builtin.SQLData)
				checkClass(t, a.write([]builtin.Record{{"id": "one", "name": ""}}), builtin.SQLData)
				check(t, "")
			}},
			{"types", func(t *testing.T) { testWrittenTypes(t, c, d, db) }},
			{"wrong properties", func(t *testing.T) {
				_, err := newAttempt(t, c, map[string]string{"sql": "select 1; select 2", "batch_size": "0", "checkpoint_table": "a; b", "x": "y"}, "", nil)
				for _, want := range []string{"property sql: want one statement", "property batch_size: want a number from 1 to 10000", "property checkpoint_table: want a name of letters", "property x: unknown"} {
					wantError(t, err, want)
				}
				_, err = newAttempt(t, c, nil, "", func(s *agent.StepContext) { s.Run = "" })
				wantError(t, err, "property checkpoint: want none, since the runtime does not name the run of the step")
				_, err = newAttempt(t, c, map[string]string{"data_source": "OTHER"}, "", nil)
				wantError(t, err, "property checkpoint: want none, since this agent cannot lock rows")
			}},
			{"a lock that is not released", func(t *testing.T) { testWriterStop(t, start(t, nil, "", nil), db) }},
			{"a deadlock", func(t *testing.T) {
				testDeadlock(t, start(t, map[string]string{"sql": "update t set name = :name where id = :id"}, "", nil), db)
			}},
		} {
			t.Run(test.name, func(t *testing.T) {
				execAll(t, db, "delete from t")
				test.run(t)
			})
		}
	})
}

// checkClass checks the class of an error.
func checkClass(t *testing.T, err error, want string) {
	t.Helper()
	var all []string
	for _, c := range builtin.ErrorClasses() {
		if err != nil && c.Matches(err) {
			all = append(all, c.Name)
		}
	}
	if got := strings.Join(all, " "); got != builtin.SQLFailure+" "+want {
		t.Errorf("the classes of %v are %s, want %s", err, got, want)
	}
}

// Values of a record go into columns of any type.
func testWrittenTypes(t *testing.T, c builtin.Config, d builtin.DataSource, db *sql.DB) {
	bin, at := "blob", "datetime(6)"
	if d.Dialect == builtin.Postgres {
		bin, at = "bytea", "timestamp"
	}
	execAll(t, db, fmt.Sprintf("create table many (i bigint, f double precision, n decimal(40,10), s varchar(40), at %s, bin %s, b boolean, j varchar(40))", at, bin))
	a, err := newAttempt(t, c, map[string]string{"sql": "insert into many values (:i, :f, :n, :s, :at, :bin, :b, :j)"}, "", nil)
	a.must(err)
	defer a.close()
	moment := time.Date(2026, 11, 30, 12, 34, 56, 123456000, time.UTC)
	a.must(a.write([]builtin.Record{
		{"i": int64(9007199254740993), "f": 0.1, "n": json.Number("123456789012345678901234567890.0123456789"), "s": "a\x27b", "at": moment, "bin": []byte{0, 255}, "b": true, "j": []any{1.5, "x"}},
		{"i": "12", "f": int64(3), "n": "0.5", "s": int64(7), "at": "2026-02-28 00:00:00", "bin": nil, "b": nil, "j": nil},
		{"i": json.Number("13"), "f": json.Number("1e3"), "n": int64(4), "s": 2.5, "at": nil, "bin": []byte{}, "b": false, "j": true},
	}))
	all, _, err := readItems(t, c, map[string]string{"data_source": "SHOP", "sql": "select * from many", "key": "i"}, nil, 9)
	a.must(err)
	for name, want := range map[string]string{
		"i": "12 13 9007199254740993", "f": "3 1000 0.1", "n": "0.5000000000 4.0000000000 123456789012345678901234567890.0123456789", "s": "7 2.5 a'b",
		"at": "2026-02-28 00:00:00 +0000 UTC <nil> 2026-11-30 12:34:56.123456 +0000 UTC", "bin": "<nil> [] [0 255]",
	} {
		if got := column(all, name); got != want {
			t.Errorf("column %s is %s, want %s", name, got, want)
		}
	}
}

// A writer that waits for a lock ends when its context ends, and what it has
// written is undone.
func testWriterStop(t *testing.T, a *attempt, db *sql.DB) {
	execAll(t, db, "insert into t values (2, 'x')")
	tx, err := db.Begin()
	a.must(err)
	_, err = tx.Exec("delete from t where id = 2")
	a.must(err)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.writer.WriteItems(ctx, records(1, 3)) }()
	select {
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(200 * time.Millisecond):
	}
	cancel(agent.ErrStopped)
	if err := <-ended; !errors.Is(err, agent.ErrStopped) {
		t.Errorf("it ended with %v", err)
	}
	a.must(tx.Commit())
	a.must(a.write(records(1, 3))) // no lock is left
	a.checkpoint(`{"items":3}`)
}

// A deadlock is a transient error, and the chunk can be written again.
func testDeadlock(t *testing.T, a *attempt, db *sql.DB) {
	execAll(t, db, "insert into t values (1, 'x'), (2, 'x')")
	tx, err := db.Begin()
	a.must(err)
	_, err = tx.Exec("update t set name = 'other' where id = 2")
	a.must(err)
	ended := make(chan error, 1)
	go func() { ended <- a.write(records(1, 2)) }()
	time.Sleep(200 * time.Millisecond) // it holds 1 and waits for 2; if not, nothing is tested
	_, otherErr := tx.Exec("update t set name = 'other' where id = 1")
	if otherErr == nil {
		a.must(tx.Commit())
	} else {
		_ = tx.Rollback()
	}
	err = <-ended
	if (err == nil) == (otherErr == nil) {
		t.Fatalf("want one victim, got %v and %v", err, otherErr)
	}
	if err != nil {
		checkClass(t, err, builtin.SQLTransient)
		a.must(a.write(records(1, 2)))
	}
	a.checkpoint(`{"items":2}`)
}

// BenchmarkSQLWriter writes chunks of 1,000 items with two columns.
func BenchmarkSQLWriter(b *testing.B) {
	benchmarkDatabases(b, func(b *testing.B, d builtin.DataSource, db *sql.DB) {
		c := builtin.Config{DataSources: map[string]builtin.DataSource{"SHOP": d}}
		execAll(b, db, "create table t (id int primary key, name varchar(40))")
		n := 0
		for _, properties := range []map[string]string{
			{}, {"checkpoint": "none"}, {"batch_size": "1"}, {"sql": "update t set name = :name where id = :id"},
		} {
			b.Run(fmt.Sprint(properties), func(b *testing.B) {
				s := agent.NewStepContext(nil, nil)
				s.Step, s.Run = b.Name(), fmt.Sprint(n)
				s.Properties = map[string]string{"data_source": "SHOP", "sql": "insert into t (id, name) values (:id, :name)"}
				for name, value := range properties {
					s.Properties[name] = value
				}
				w, err := c.Writers()[builtin.SQLWriter](s)
				if err == nil {
					err = w.Open(b.Context(), nil)
				}
				if err != nil {
					b.Fatal(err)
				}
				start, first := time.Now(), n
				for b.Loop() {
					if err := w.WriteItems(b.Context(), records(n+1, n+1000)); err != nil {
						b.Fatal(err)
					}
					n += 1000
				}
				b.ReportMetric(float64(n-first)/time.Since(start).Seconds(), "rows/s")
				_ = w.Close(b.Context())
			})
		}
	})
}
