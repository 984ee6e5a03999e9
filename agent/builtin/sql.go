package builtin

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sqlRun is one run of the batchlet [SQL].
type sqlRun struct {
	step       *agent.StepContext
	source     *dataSource
	statements []statement
	binds      map[string]string
	inOne      bool // all statements are one transaction
	isolation  sql.IsolationLevel
	logRows    int
	columns    map[string]string // of the last statement, by the name of a value
}

var isolationLevels = map[string]sql.IsolationLevel{
	"default": sql.LevelDefault, "read_committed": sql.LevelReadCommitted,
	"repeatable_read": sql.LevelRepeatableRead, "serializable": sql.LevelSerializable,
}

// runSQL runs the batchlet [SQL].
func (c Config) runSQL(ctx context.Context, s *agent.StepContext) (string, error) {
	p := newProperties(s)
	r := &sqlRun{step: s}
	source := c.dataSource(p)
	r.readProperties(p, source)
	timeout := p.duration("timeout", 0, false)
	if err := p.check(); err != nil {
		return "", err
	}
	var err error
	if r.source, err = source.open(); err != nil {
		return "", err
	}
	defer r.source.Close() //nolint:errcheck // nothing can be done about an error
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w after %v", errTimeout, timeout))
		defer cancel()
	}
	rows, err := r.run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // the error of the driver only repeats it
		}
		return timeoutStatus(err), err
	}
	return strconv.FormatInt(rows, 10), nil
}

func (r *sqlRun) readProperties(p *properties, source *DataSource) {
	r.binds = p.withPrefix("bind.")
	r.columns = p.withPrefix("value.")
	r.inOne = p.choice("transaction", "one", "each") == "one"
	r.isolation = isolationLevels[p.choice("isolation", "default", "read_committed", "repeatable_read", "serializable")]
	r.logRows = p.number("log_rows", 0, 0, 10_000)
	split := p.choice("split", "yes", "no") == "yes"
	text := p.written("sql") // with values, it would be code
	if source == nil {
		return
	}
	var err error
	if r.statements, err = parseStatements(text, source.Dialect, split, r.binds); err != nil {
		p.faults = append(p.faults, "property sql: "+err.Error())
	} else if len(r.statements) == 0 {
		p.fault("sql", "one or more statements", text)
	}
	for name, column := range r.columns {
		if column == "" {
			p.fault("value."+name, "the name of a column of the last statement", column)
		}
		if !subjects.ValidValueName(name) {
			p.fault("value."+name, "a name of a-z, 0-9 and _ after value.", name)
		}
	}
}

// run runs the statements, and returns how many rows they have changed.
func (r *sqlRun) run(ctx context.Context) (int64, error) {
	conn, release, err := r.source.connect(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to the data source: %w", err)
	}
	defer release()
	if r.inOne {
		return r.runAll(ctx, conn, r.statements, 0)
	}
	var sum int64
	for i := range r.statements {
		n, err := r.runAll(ctx, conn, r.statements[i:i+1], i)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// runAll runs statements in one transaction. first is the index of the first.
func (r *sqlRun) runAll(ctx context.Context, conn *sql.Conn, all []statement, first int) (int64, error) {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: r.isolation})
	if err != nil {
		return 0, fmt.Errorf("begin a transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it has no effect after the commit
	var sum int64
	for i := range all {
		start := time.Now()
		n, err := r.runStatement(ctx, tx, &all[i], first+i == len(r.statements)-1)
		if err != nil {
			return 0, fmt.Errorf("statement %d (%s): %w", first+i+1, shorten(all[i].text), err)
		}
		r.step.Log.Info(fmt.Sprintf("statement %d (%s): %d rows after %v", first+i+1, shorten(all[i].text), n, time.Since(start).Round(time.Millisecond)))
		sum += n
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	return sum, nil
}

// runStatement runs a statement, and returns how many rows it has changed, or
// returned if its rows are asked for.
func (r *sqlRun) runStatement(ctx context.Context, tx *sql.Tx, s *statement, last bool) (int64, error) {
	if last && (len(r.columns) > 0 || r.logRows > 0) {
		return r.runQuery(ctx, tx, s)
	}
	result, err := tx.ExecContext(ctx, s.text, s.arguments(r.binds)...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, nil //nolint:nilerr // the driver does not know the number
	}
	return n, nil
}

// runQuery runs a statement that returns rows. The first row gives the values
// for later steps.
func (r *sqlRun) runQuery(ctx context.Context, tx *sql.Tx, s *statement) (n int64, err error) {
	rows, err := tx.QueryContext(ctx, s.text, s.arguments(r.binds)...)
	if err != nil {
		return 0, err
	}
	defer rows.Close() //nolint:errcheck // Err is checked
	names, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		row, err := scanRow(rows, len(names))
		if err != nil {
			return 0, err
		}
		if n == 0 {
			if err := r.handOver(names, row); err != nil {
				return 0, err
			}
		}
		if n++; n <= int64(r.logRows) {
			r.step.Log.Info(printRow(names, row))
		}
	}
	for name := range r.columns {
		if n == 0 {
			_ = r.step.SetValue(name, "") // the name is valid
		}
	}
	return n, rows.Err()
}

// handOver sets the values for later steps. NULL is an empty text.
func (r *sqlRun) handOver(names []string, row []sql.NullString) error {
	for name, column := range r.columns {
		i := -1
		for j, n := range names {
			if strings.EqualFold(n, column) {
				i = j
			}
		}
		if i < 0 {
			return fmt.Errorf("property value.%s: want one of the columns %s, got %.60q", name, strings.Join(firstOf(names, 20), ", "), column)
		}
		if err := r.step.SetValue(name, row[i].String); err != nil {
			return err
		}
	}
	return nil
}

// scanRow reads the columns of a row as texts.
func scanRow(rows *sql.Rows, columns int) ([]sql.NullString, error) {
	row, targets := make([]sql.NullString, columns), make([]any, columns)
	for i := range row {
		targets[i] = &row[i]
	}
	return row, rows.Scan(targets...)
}

func printRow(names []string, row []sql.NullString) string {
	var words []string
	for i, name := range names {
		text := "NULL"
		if row[i].Valid {
			text = row[i].String
		}
		words = append(words, name+"="+text)
	}
	return strings.Join(words, " ")
}

// shorten returns the beginning of a statement, on one line.
func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "..."
	}
	return text
}
