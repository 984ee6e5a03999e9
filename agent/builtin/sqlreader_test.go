package builtin_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

// newReader creates a reader.
func newReader(c builtin.Config, properties map[string]string) (agent.ItemReader[builtin.Record], error) {
	s := agent.NewStepContext(nil, nil)
	s.Properties, s.Values = properties, map[string]string{"what": "drop table t"}
	return c.Readers()[builtin.SQLReader](s)
}

// readItems opens a reader at a checkpoint, reads up to most items, and returns
// them with the checkpoint.
func readItems(t *testing.T, c builtin.Config, properties map[string]string, last agent.Checkpoint, most int) (all []builtin.Record, at agent.Checkpoint, err error) {
	t.Helper()
	r, err := newReader(c, properties)
	if err == nil {
		err = r.Open(t.Context(), last)
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for len(all) < most {
		item, err := r.ReadItem(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			return all, nil, err
		}
		all = append(all, item)
	}
	v, err := r.CheckpointInfo(t.Context())
	if err != nil {
		return all, nil, err
	}
	data, err := json.Marshal(v)
	if string(data) == "null" {
		data = nil
	}
	return all, data, err
}

// column returns a column of items as text.
func column(all []builtin.Record, name string) string {
	var words []string
	for _, item := range all {
		words = append(words, fmt.Sprint(item[name]))
	}
	return strings.Join(words, " ")
}

// execAll runs statements that must succeed.
func execAll(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestSQLReader(t *testing.T) {
	databases(t, func(t *testing.T, d builtin.DataSource, db *sql.DB) {
		c := builtin.Config{DataSources: map[string]builtin.DataSource{"SHOP": d}}
		execAll(t, db, "create table t (id int primary key, name varchar(40), n int)",
			"insert into t values (1,'a',null),(2,'b',1),(3,'c',2),(4,'d',2),(5,'e',3),(6,'f',4),(7,'g',5)",
			"create table none (id int primary key)")
		for _, test := range []struct {
			name       string
			properties map[string]string
			want, err  string
		}{
			{"pages", map[string]string{"sql": "select * from t -- all", "key": "id"}, "1 2 3 4 5 6 7", ""},
			{"pages with a value", map[string]string{"sql": "select * from t where id < :most and name <> :not;", "key": "id", "bind.most": "6", "bind.not": "c"}, "1 2 4 5", ""},
			{"the key decides about the order", map[string]string{"sql": "select * from t order by id desc", "key": " id "}, "1 2 3 4 5 6 7", ""},
			{"two key columns", map[string]string{"sql": "select * from t where n > 0", "key": "n, id"}, "2 3 4 5 6 7", ""},
			{"a query of its own kind", map[string]string{"sql": "with big as (select * from t where id > 4) select count(*) as c, max(id) as id from big group by name", "key": "id"}, "5 6 7", ""},
			{"without a key", map[string]string{"sql": "select * from t order by id desc"}, "7 6 5 4 3 2 1", ""},
			{"no rows", map[string]string{"sql": "select * from none", "key": "id"}, "", ""},
			{"no rows without a key", map[string]string{"sql": "select * from none"}, "", ""},
			{"one page", map[string]string{"sql": "select * from t", "key": "id", "fetch_size": "7"}, "1 2 3 4 5 6 7", ""},
			{"a value of an earlier step is no code", map[string]string{"sql": "select 1 as id from t where name = '${value.what}'"}, "", ""},
			{"a key with equal rows", map[string]string{"sql": "select * from t where id > 2", "key": "n"}, "", "property key: want columns that are unique together, got two rows with the same n"},
			{"a key with NULL", map[string]string{"sql": "select * from t where id <> 4", "key": "n"}, "", "without NULL"},
			{"a key that is no column", map[string]string{"sql": "select * from t", "key": "ids"}, "", "ids"},
			{"a key that is no name", map[string]string{"sql": "select * from t", "key": "id desc"}, "", "id desc"},
			{"columns of one name", map[string]string{"sql": "select id, name as id from t"}, "", `property sql: want different names for the columns, got "id" twice`},
			{"no table", map[string]string{"sql": "select * from nowhere", "key": "id"}, "", "nowhere"},
			{"no table without a key", map[string]string{"sql": "select * from nowhere"}, "", "nowhere"},
			{"two statements", map[string]string{"sql": "select 1; select 2"}, "", "property sql: want a query, and no other statement"},
			{"a value that is missing", map[string]string{"sql": "select :x"}, "", "property sql: want the property bind.x for :x"},
			{"wrong properties", map[string]string{"sql": "select 1", "fetch_size": "0", "page": "1", "data_source": "x"}, "", `property fetch_size: want a number from 1 to 100000, got "0"; property data_source: the agent has no data source "x", it has SHOP; property page: unknown, want`},
		} {
			t.Run(test.name, func(t *testing.T) {
				properties := with(map[string]string{"data_source": "SHOP", "fetch_size": "2"})
				for name, value := range test.properties {
					properties[name] = value
				}
				all, _, err := readItems(t, c, properties, nil, 100)
				if test.err != "" {
					if err == nil || !strings.Contains(err.Error(), test.err) {
						t.Fatalf("got %v, %v; want %s", all, err, test.err)
					}
					return
				}
				if got := column(all, "id"); err != nil || got != test.want {
					t.Fatalf("got %s, %v; want %s", got, err, test.want)
				}
				// A restart after any item reads the rest.
				for n := range all {
					first, at, err := readItems(t, c, properties, nil, n)
					rest, _, restErr := readItems(t, c, properties, at, 100)
					if got := column(append(first, rest...), "id"); err != nil || restErr != nil || got != test.want {
						t.Errorf("with a restart at %s after %d: got %s, %v, %v", at, n, got, err, restErr)
					}
				}
			})
		}
		t.Run("types", func(t *testing.T) { testSQLTypes(t, c, d, db) })
		t.Run("exact keys", func(t *testing.T) { testExactKeys(t, c, d, db) })
		t.Run("another key after a restart", func(t *testing.T) {
			for _, at := range []string{`{"key":[{"type":"int","value":"1"},{"type":"int","value":"2"}]}`, `{"rows":5}`} {
				_, _, err := readItems(t, c, map[string]string{"data_source": "SHOP", "sql": "select * from t", "key": "id"}, agent.Checkpoint(at), 1)
				if err == nil || !strings.Contains(err.Error(), "want the columns as before the restart") {
					t.Errorf("%s: got %v", at, err)
				}
			}
		})
		t.Run("fewer rows after a restart", func(t *testing.T) {
			_, _, err := readItems(t, c, map[string]string{"data_source": "SHOP", "sql": "select * from t order by id"}, agent.Checkpoint(`{"rows":8}`), 1)
			if err == nil || !strings.Contains(err.Error(), "property sql: want at least 8 rows, as were read before the restart, got 7") {
				t.Errorf("got %v", err)
			}
		})
		t.Run("a checkpoint is no code", func(t *testing.T) {
			at := agent.Checkpoint(`{"key":[{"type":"decimal","value":"1 or true"}]}`)
			_, _, err := readItems(t, c, map[string]string{"data_source": "SHOP", "sql": "select * from t", "key": "id"}, at, 1)
			if err == nil || !strings.Contains(err.Error(), `checkpoint: want a number, got "1 or true"`) {
				t.Errorf("got %v", err)
			}
		})
		t.Run("a stop", func(t *testing.T) { testReaderStop(t, c, d, db) })
	})
}

// Each type of a column has one type of a value, with all digits.
func testSQLTypes(t *testing.T, c builtin.Config, d builtin.DataSource, db *sql.DB) {
	types := map[string]string{"big": "decimal(40,10)", "f": "double", "r": "float", "at": "datetime(6)", "bin": "blob", "u": "bigint unsigned"}
	literal := "x'00ff'"
	if d.Dialect == builtin.Postgres {
		types = map[string]string{"big": "numeric", "f": "double precision", "r": "real", "at": "timestamp", "bin": "bytea", "u": "numeric"}
		literal = `'\x00ff'`
	}
	execAll(t, db, fmt.Sprintf("create table kinds (i bigint, big %s, f %s, r %s, at %s, d date, bin %s, u %s, s text, c char(3), b boolean, none int)",
		types["big"], types["f"], types["r"], types["at"], types["bin"], types["u"]),
		"insert into kinds values (9007199254740993, 123456789012345678901234567890.0123456789, 0.1, 0.1, '2026-11-30 12:34:56.123456', '2026-02-28', "+
			literal+", 18446744073709551615, 'größe', 'abc', true, null)")
	b, isTrue := "bool", "true"
	if d.Dialect == builtin.MySQL {
		b, isTrue = "int64", "1" // it has no booleans
	}
	want := map[string]string{
		"i": "int64 9007199254740993", "big": "json.Number 123456789012345678901234567890.0123456789", "f": "float64 0.1", "r": "float64 0.1",
		"at": "time.Time 2026-11-30 12:34:56.123456 +0000 UTC", "d": "time.Time 2026-02-28 00:00:00 +0000 UTC", "bin": "[]uint8 [0 255]",
		"u": "json.Number 18446744073709551615", "s": "string größe", "c": "string abc", "b": b + " " + isTrue, "none": "<nil> <nil>",
	}
	for _, key := range []string{"", "i"} {
		all, _, err := readItems(t, c, map[string]string{"data_source": "SHOP", "sql": "select * from kinds", "key": key}, nil, 2)
		if err != nil || len(all) != 1 || len(all[0]) != len(want) {
			t.Fatalf("key %q: got %v, %v", key, all, err)
		}
		for name, v := range all[0] {
			if got := fmt.Sprintf("%T %v", v, v); got != want[name] {
				t.Errorf("key %q: column %s is %s, want %s", key, name, got, want[name])
			}
		}
	}
}

// A reader finds its place by keys of any type whose neighbours differ in the
// last digit.
func testExactKeys(t *testing.T, c builtin.Config, d builtin.DataSource, db *sql.DB) {
	datetime, binary, decimal, text := "datetime(6)", "varbinary(10)", "decimal(40,10)", "varchar(100) character set utf8mb4"
	bytes := []string{"x'00'", "x'00ff'", "x'ff'"}
	if d.Dialect == builtin.Postgres {
		datetime, binary, decimal, text = "timestamptz", "bytea", "numeric(40,10)", "varchar(100)"
		bytes = []string{`'\x00'`, `'\x00ff'`, `'\xff'`}
	}
	for i, test := range []struct {
		kind string
		keys []string
	}{
		{"bigint", []string{"-9007199254740993", "-9007199254740992", "9007199254740992", "9007199254740993", "9007199254740994", "9223372036854775807"}},
		{decimal, []string{"-1.5", "0.0000000001", "123456789012345678901234567890.0123456788", "123456789012345678901234567890.0123456789", "123456789012345678901234567890.0123456790"}},
		{datetime, []string{"'2026-11-30 12:34:56'", "'2026-11-30 12:34:56.123456'", "'2026-11-30 12:34:56.123457'"}},
		{"date", []string{"'0900-01-01'", "'2026-11-30'", "'2026-12-01'"}},
		{text, []string{"''", "'a'", "'a''b'", "'b; drop table t'", "'größe'", "'数'"}},
		{"double precision", []string{"0.1", "0.10000000000000002", "0.30000000000000004", "1e300"}},
		{binary, bytes},
		{"float", []string{"0.1", "0.2", "0.3"}},
	} {
		t.Run(test.kind, func(t *testing.T) {
			table := fmt.Sprintf("keys%d", i)
			execAll(t, db, fmt.Sprintf("create table %s (k %s primary key, id int)", table, test.kind))
			for id, key := range test.keys {
				execAll(t, db, fmt.Sprintf("insert into %s values (%s, %d)", table, key, id))
			}
			properties := map[string]string{"data_source": "SHOP", "sql": "select * from " + table, "key": "k", "fetch_size": "1"}
			var got []builtin.Record
			var at agent.Checkpoint
			for range len(test.keys) + 1 { // a restart after each item
				one, next, err := readItems(t, c, properties, at, 1)
				if err != nil {
					t.Fatal(err)
				}
				got, at = append(got, one...), next
			}
			if ids := column(got, "id"); ids != strings.Join(strings.Fields("0 1 2 3 4 5")[:len(test.keys)], " ") {
				t.Errorf("got the rows %s of %d, the last checkpoint is %s", ids, len(test.keys), at)
			}
		})
	}
	if d.Dialect == builtin.MySQL {
		execAll(t, db, "create table enums (k enum('b', 'a') primary key)", "insert into enums values ('a'), ('b')")
		_, _, err := readItems(t, c, map[string]string{"data_source": "SHOP", "sql": "select * from enums", "key": "k"}, nil, 1)
		if err == nil || !strings.Contains(err.Error(), "property key: column k: want another type than enum") {
			t.Errorf("the key is an enum: got %v", err)
		}
	} else {
		execAll(t, db, "create table nulls (k int unique)", "insert into nulls values (1), (2), (3), (null)")
		_, _, err := readItems(t, c, map[string]string{"data_source": "SHOP", "sql": "select * from nulls", "key": "k", "fetch_size": "2"}, agent.Checkpoint(`{"key":[{"type":"int","value":"1"}]}`), 9)
		if err == nil || !strings.Contains(err.Error(), "property key: ") {
			t.Errorf("a key is NULL behind the last page: got %v", err)
		}
	}
}

// A checkpoint of other columns is refused, also if there are as many of them.
func TestReaderKeepsItsKey(t *testing.T) {
	c := builtin.Config{DataSources: map[string]builtin.DataSource{"SHOP": {Driver: "pgx", DSN: "postgres://127.0.0.1/none", Dialect: builtin.Postgres}}}
	at := agent.Checkpoint(`{"columns":["id"],"key":[{"type":"int","value":"1"}]}`)
	for key, want := range map[string]string{"id": "", "day": "property key: want the columns as before the restart, got \"day\""} {
		r, err := newReader(c, map[string]string{"data_source": "SHOP", "sql": "select id, day from t", "key": key})
		if err != nil {
			t.Fatal(err)
		}
		if err = r.Open(t.Context(), at); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("key %s: %v, want %q", key, err, want)
		}
		if err == nil {
			_ = r.Close(t.Context())
		}
	}
}

// A stop ends the query in the database. The reader returns the error of the
// context.
func testReaderStop(t *testing.T, c builtin.Config, d builtin.DataSource, db *sql.DB) {
	sleep, running := "sleep(1000)", "select id from information_schema.processlist where info like '%sleep(1000)%' and info not like '%processlist%'"
	if d.Dialect == builtin.Postgres {
		sleep, running = "pg_sleep(1000)", "select pid from pg_stat_activity where state <> 'idle' and query like '%sleep(1000)%' and query not like '%activity%'"
	}
	for _, key := range []string{"", "id"} {
		r, err := newReader(c, map[string]string{"data_source": "SHOP", "sql": "select id, " + sleep + " as s from t", "key": key})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := r.ReadItem(ctx); ended <- err }()
		await(t, "the query runs", func() bool { return queryText(t, db, running) != "" })
		cancel(agent.ErrStopped)
		if err := <-ended; !errors.Is(err, agent.ErrStopped) {
			t.Errorf("key %q: it ended with %v", key, err)
		}
		await(t, "the query has ended", func() bool { return queryText(t, db, running) == "" })
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkSQLReader reads 100,000 rows of three columns.
func BenchmarkSQLReader(b *testing.B) {
	benchmarkDatabases(b, func(b *testing.B, d builtin.DataSource, db *sql.DB) {
		c := builtin.Config{DataSources: map[string]builtin.DataSource{"SHOP": d}}
		execAll(b, db, "create table t (id int primary key, name varchar(40), at timestamp)",
			"insert into t with recursive n as (select 1 as id union all select id + 1 from n where id < 1000) "+
				"select a.id + 1000 * (b.id - 1), 'somebody', current_timestamp from n a, n b where b.id <= 100")
		for _, properties := range []map[string]string{{"key": "id", "fetch_size": "100"}, {"key": "id"}, {"key": "id", "fetch_size": "10000"}, {}} {
			b.Run(fmt.Sprint(properties), func(b *testing.B) {
				for b.Loop() {
					start, n := time.Now(), 0
					r, err := newReader(c, with(properties, "data_source", "SHOP", "sql", "select * from t"))
					if err != nil {
						b.Fatal(err)
					}
					if err := r.Open(b.Context(), nil); err != nil {
						b.Fatal(err)
					}
					for ; ; n++ {
						if _, err = r.ReadItem(b.Context()); err != nil {
							break
						}
					}
					if n != 100_000 || err != io.EOF {
						b.Fatal(n, err)
					}
					_ = r.Close(b.Context())
					b.ReportMetric(float64(n)/time.Since(start).Seconds(), "rows/s")
				}
			})
		}
	})
}
