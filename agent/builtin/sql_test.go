package builtin_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin/dbtest"
)

// servers start the databases, by name.
var servers = map[string]func(testing.TB) builtin.DataSource{
	"PostgreSQL": func(t testing.TB) builtin.DataSource {
		return builtin.DataSource{Driver: "pgx", DSN: "host=" + dbtest.Postgres(t) + " user=postgres dbname=postgres sslmode=disable", Dialect: builtin.Postgres}
	},
	"MariaDB": func(t testing.TB) builtin.DataSource {
		return builtin.DataSource{Driver: "mysql", DSN: "root@unix(" + dbtest.MariaDB(t) + ")/test", Dialect: builtin.MySQL}
	},
}

// databases runs a test with each database.
func databases(t *testing.T, test func(t *testing.T, d builtin.DataSource, db *sql.DB)) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			test(t, d, openDatabase(t, d))
		})
	}
}

// benchmarkDatabases runs a benchmark with each database.
func benchmarkDatabases(b *testing.B, f func(b *testing.B, d builtin.DataSource, db *sql.DB)) {
	for name, start := range servers {
		b.Run(name, func(b *testing.B) {
			d := start(b)
			f(b, d, openDatabase(b, d))
		})
	}
}

func openDatabase(t testing.TB, d builtin.DataSource) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// queryText returns the rows of a query as text.
func queryText(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err is checked
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestSQL(t *testing.T) {
	databases(t, func(t *testing.T, d builtin.DataSource, db *sql.DB) {
		c := builtin.Config{DataSources: map[string]builtin.DataSource{
			"SHOP": d, "AWAY": {Driver: d.Driver, DSN: strings.ReplaceAll(d.DSN, "/db", "/nodb"), Dialect: d.Dialect},
		}}
		if _, err := db.Exec("create table t (id int primary key, name varchar(40))"); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			name       string
			properties map[string]string
			exit, err  string
			rows       string // of the table afterwards
			log        string
			values     string
		}{
			{"rows that were changed", map[string]string{"sql": "insert into t values (1, 'a'), (2, 'b'); update t set name = 'c' where id = 2;"}, "3", "", "1=a 2=c", "statement 1 (insert into t values (1, 'a'), (2, 'b')): 2 rows after", "map[]"},
			{"values are bound", map[string]string{"sql": "insert into t values (:id, :name)", "bind.id": "3", "bind.name": "it's ${value.what}; drop table t"}, "1", "", "1=a 2=c 3=it's new; drop table t", "", "map[]"},
			{"all or nothing", map[string]string{"sql": "delete from t; insert into nowhere values (1)"}, "", "statement 2 (insert into nowhere values (1)): ", "1=a 2=c 3=it's new; drop table t", "", "map[]"},
			{"each for itself", map[string]string{"sql": "delete from t where id = 3; insert into nowhere values (1)", "transaction": "each"}, "", "statement 2", "1=a 2=c", "", "map[]"},
			{"a value of the last statement", map[string]string{"sql": "update t set name = 'd' where id = 1; select count(*) as n, max(name) as most, null as none from t", "value.rows": "N", "value.most": "most", "value.none": "none"}, "2", "", "1=d 2=c", "", "map[most:d none: rows:2]"},
			{"no row", map[string]string{"sql": "select id from t where id = 99", "value.id": "id"}, "0", "", "1=d 2=c", "", "map[id:]"},
			{"a column that is not there", map[string]string{"sql": "select id from t", "value.id": "ids"}, "", "property value.id: want one of the columns id, got \"ids\"", "1=d 2=c", "", "map[]"},
			{"rows in the log", map[string]string{"sql": "select id, name from t order by id", "log_rows": "1", "isolation": "serializable"}, "2", "", "1=d 2=c", `msg="id=1 name=d"`, "map[]"},
			{"an unknown data source", map[string]string{"sql": "select 1", "data_source": "shop"}, "", `property data_source: the agent has no data source "shop", it has AWAY, SHOP`, "1=d 2=c", "", "map[]"},
			{"no connection", map[string]string{"sql": "select 1", "data_source": "AWAY"}, "", "connect to the data source: ", "1=d 2=c", "", "map[]"},
			{"no statement", map[string]string{"sql": " -- nothing"}, "", "property sql: want one or more statements", "1=d 2=c", "", "map[]"},
			{"a value that is missing", map[string]string{"sql": "select :x"}, "", "property sql: want the property bind.x for :x", "1=d 2=c", "", "map[]"},
			{"a value in the text of a statement", map[string]string{"sql": "insert into t values (9, '${value.what}')"}, "1", "", "1=d 2=c 9=${value.what}", "", "map[]"},
			{"wrong properties", map[string]string{"sql": "select 1", "isolation": "none", "transaction": "no", "log_rows": "-1", "tx": "x"}, "", "property transaction: want one of one, each, got \"no\"; property isolation: want one of default,", "1=d 2=c 9=${value.what}", "", "map[]"},
		} {
			t.Run(test.name, func(t *testing.T) {
				properties := map[string]string{"data_source": "SHOP"}
				for name, value := range test.properties {
					properties[name] = value
				}
				got := runBatchlet(t.Context(), c, builtin.SQL, properties, func(s *agent.StepContext) { s.Values = map[string]string{"what": "new"} })
				checkOutcome(t, got, test.exit, test.err)
				if rows := queryText(t, db, "select concat(id, '=', name) from t order by id"); rows != test.rows {
					t.Errorf("the table has %s, want %s", rows, test.rows)
				}
				if !strings.Contains(got.log, test.log) {
					t.Errorf("the log is %s, want %s in it", got.log, test.log)
				}
				if values := fmt.Sprint(got.values); values != test.values && !(got.values == nil && test.values == "map[]") {
					t.Errorf("the values are %s, want %s", values, test.values)
				}
			})
		}
		t.Run("a stop", func(t *testing.T) { testSQLStop(t, c, d, db) })
	})
}

// A stop, or a timeout, ends the query in the database, and what it has done is
// undone.
func testSQLStop(t *testing.T, c builtin.Config, d builtin.DataSource, db *sql.DB) {
	sleep, running := "select sleep(1000)", "select id from information_schema.processlist where info like '%sleep(1000)%' and info not like '%processlist%'"
	if d.Dialect == builtin.Postgres {
		sleep, running = "select pg_sleep(1000)", "select pid from pg_stat_activity where state <> 'idle' and query like '%sleep(1000)%' and query not like '%activity%'"
	}
	properties := map[string]string{"data_source": "SHOP", "sql": "insert into t values (100, 'x'); " + sleep}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan outcome, 1)
	go func() { ended <- runBatchlet(ctx, c, builtin.SQL, properties) }()
	await(t, "the query runs", func() bool { return queryText(t, db, running) != "" })
	cancel(agent.ErrStopped)
	if got := <-ended; !errors.Is(got.err, agent.ErrStopped) {
		t.Errorf("it ended with %v", got.err)
	}
	await(t, "the query has ended", func() bool { return queryText(t, db, running) == "" })
	got := runBatchlet(t.Context(), c, builtin.SQL, with(properties, "timeout", "200ms"))
	checkOutcome(t, got, "TIMEOUT", "timeout after 200ms")
	await(t, "the query has ended", func() bool { return queryText(t, db, running) == "" })
	if rows := queryText(t, db, "select id from t where id = 100"); rows != "" {
		t.Errorf("what was stopped has written %s", rows)
	}
}

// await waits until something is so.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestSQLWithoutDataSources(t *testing.T) {
	got := runBatchlet(t.Context(), builtin.Config{}, builtin.SQL, map[string]string{"sql": "select 1", "data_source": "SHOP"})
	checkOutcome(t, got, "", `property data_source: the agent has no data source "SHOP", it has none`)
}
