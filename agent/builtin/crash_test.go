package builtin_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

var long = flag.Bool("long", false, "kill agents at 100 commits to a database in place of 20")

// Environment variables of an agent in a process of its own.
const (
	crashAgent   = "JOBSTREAMER_TEST_AGENT" // the URL of the broker
	crashName    = "JOBSTREAMER_TEST_NAME"
	crashDialect = "JOBSTREAMER_TEST_DIALECT"
	crashDSN     = "JOBSTREAMER_TEST_DSN"
	crashPoint   = "JOBSTREAMER_TEST_POINT" // where it is killed: before or after a commit
	crashCount   = "JOBSTREAMER_TEST_COUNT" // at which commit of the process
)

func TestMain(m *testing.M) {
	if url := os.Getenv(crashAgent); url != "" {
		runCrashAgent(url)
		return
	}
	os.Exit(agenttest.Main(m))
}

// crashes counts the calls at the crash point of this process.
var crashes atomic.Int32

// dieAt kills this process, as kill -9 does, if this is the call to die at.
func dieAt(point string) {
	if os.Getenv(crashPoint) == point && fmt.Sprint(crashes.Add(1)) == os.Getenv(crashCount) {
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
}

// dyingTracer dies right before a commit goes to PostgreSQL, or right after
// PostgreSQL has said that it has committed.
type dyingTracer struct{}

func (dyingTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.EqualFold(q.SQL, "commit") {
		dieAt("before")
	}
	return ctx
}

func (dyingTracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, q pgx.TraceQueryEndData) {
	if q.CommandTag.String() == "COMMIT" {
		dieAt("after")
	}
}

// dyingWriter dies before the transaction of a chunk, or after it.
type dyingWriter struct {
	agent.ItemWriter[builtin.Record]
}

func (w dyingWriter) WriteItems(ctx context.Context, items []builtin.Record) error {
	dieAt("before")
	err := w.ItemWriter.WriteItems(ctx, items)
	dieAt("after")
	return err
}

// runCrashAgent is the main function of an agent that may kill itself.
func runCrashAgent(url string) {
	d := builtin.DataSource{Driver: "mysql", DSN: os.Getenv(crashDSN), Dialect: builtin.Dialect(os.Getenv(crashDialect))}
	if d.Dialect == builtin.Postgres {
		config, err := pgx.ParseConfig(d.DSN)
		if err != nil {
			panic(err)
		}
		config.Tracer = dyingTracer{}
		d.Driver, d.DSN = "pgx", stdlib.RegisterConnConfig(config)
	}
	c := builtin.Config{DataSources: map[string]builtin.DataSource{"SHOP": d}}
	options := append(builtin.Options(c),
		agent.Writer("dying", func(s *agent.StepContext) (agent.ItemWriter[builtin.Record], error) {
			w, err := c.Writers()[builtin.SQLWriter](s)
			return dyingWriter{w}, err
		}),
		agent.Processor("filter", func(*agent.StepContext) (agent.ItemProcessor[builtin.Record, builtin.Record], error) {
			return agent.ProcessorFunc[builtin.Record, builtin.Record](func(_ context.Context, item builtin.Record) (builtin.Record, error) {
				if item["id"].(int64)%7 == 0 {
					return nil, agent.ErrFiltered
				}
				return item, nil
			}), nil
		}))
	a, err := agent.New(agent.Config{
		URL: url, Name: os.Getenv(crashName), Apps: []string{agenttest.App}, Slots: 1,
		Runtime: native.New(native.Config{}), Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, options...)
	if err == nil {
		err = a.Run(context.Background())
	}
	slog.Error("agent ended", "err", err)
	os.Exit(1)
}

// crashJob is a job that copies the rows of a range of ids from src to a table.
type crashJob struct {
	writer    string
	itemCount int
	partition string // and what follows the chunk
	table     string
	from, to  string
}

func (j crashJob) definition() string {
	text := fmt.Sprintf(`{'id':'job','steps':[{'id':'copy','chunk':{'item_count':%d,
		'reader':{'ref':'%s','properties':{'data_source':'SHOP','sql':'select * from src where id > :from and id <= :to','key':'id','fetch_size':'70','bind.from':'%s','bind.to':'%s'}},
		'processor':{'ref':'filter'},
		'writer':{'ref':'%s','properties':{'data_source':'SHOP','sql':'insert into %s (id, name) values (:id, :name)'}}}%s}]}`, j.itemCount, builtin.SQLReader, j.from, j.to, j.writer, j.table, j.partition)
	return strings.NewReplacer("'", `"`, "Q", "'").Replace(text)
}

// run runs the job through crashes at a number of a commit, most of them between
// the commit of the database and the result in the broker, and checks that its
// table has each row once.
func (j crashJob) run(t *testing.T, room *agenttest.Room, d builtin.DataSource, db *sql.DB, count int) (died int) {
	t.Helper()
	execAll(t, db, fmt.Sprintf("create table %s (id int, name varchar(40))", j.table)) // no key refuses a row
	points := []string{"after", "after", "after", "after", "before"}
	died = room.RunThroughCrashes(j.definition(), func(died int) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashAgent+"="+room.Server.ClientURL(), fmt.Sprintf("%s=crash-%d", crashName, died),
			crashDialect+"="+string(d.Dialect), crashDSN+"="+d.DSN, crashPoint+"="+points[died%len(points)], fmt.Sprintf("%s=%d", crashCount, count))
		return cmd
	})
	if rest := queryText(t, db, fmt.Sprintf("select id from src where id %% 7 <> 0 and (select count(*) from %s o where o.id = src.id and o.name = src.name) <> 1", j.table)); rest != "" {
		t.Errorf("not once in the table: %s", rest)
	}
	const want = "858 429429" // of 1,000 ids, without the multiples of 7
	if got := queryText(t, db, fmt.Sprintf("select concat(count(*), ' ', sum(id)) from %s", j.table)); got != want {
		t.Errorf("the table has %s, want %s", got, want)
	}
	return died
}

// The agent is killed at every commit of a job of 1,000 items, and restarted on
// another: the table is that of a run without crashes. So it is with 4
// partitions.
func TestSQLCrashes(t *testing.T) {
	databases(t, func(t *testing.T, d builtin.DataSource, db *sql.DB) {
		execAll(t, db, "create table src (id int primary key, name varchar(40))",
			"insert into src with recursive n as (select 1 as id union all select id + 1 from n where id < 1000) select id, concat('name ', id) from n")
		t.Run("one", func(t *testing.T) {
			t.Parallel()
			j := crashJob{writer: builtin.SQLWriter, itemCount: 50, table: "alone", from: "0", to: "1000"}
			if d.Dialect != builtin.Postgres {
				j.writer, j.itemCount = "dying", 100
			}
			if *long {
				j.itemCount = 10
			}
			// The transaction that takes the row over is the first commit that the
			// tracer sees. With the other writer, the first chunk comes again.
			died := j.run(t, agenttest.NewListening(t), d, db, 2)
			t.Logf("%d agents died", died)
			if want := 1000/j.itemCount - 1; died < want {
				t.Errorf("only %d agents died, want %d", died, want)
			}
		})
		t.Run("partitions", func(t *testing.T) {
			t.Parallel()
			if d.Dialect != builtin.Postgres {
				t.Skip("the writers are the same")
			}
			var plan []string
			for p := range 4 {
				plan = append(plan, fmt.Sprintf("{'partition':%d,'properties':{'from':'%d','to':'%d'}}", p, 250*p, 250*p+250))
			}
			j := crashJob{
				writer: builtin.SQLWriter, itemCount: 10, table: "parts", from: "#{partitionPlan[QfromQ]}", to: "#{partitionPlan[QtoQ]}",
				partition: ",'partition':{'plan':{'partitions':4,'properties':[" + strings.Join(plan, ",") + "]}}",
			}
			// 4 commits take rows over, and 4 more can be of chunks that come again.
			died := j.run(t, agenttest.NewListening(t), d, db, 20)
			t.Logf("%d agents died", died)
			if died == 0 {
				t.Error("no agent died")
			}
		})
	})
}
