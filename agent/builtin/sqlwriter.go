package builtin

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// sqlWriter is the writer [SQLWriter]. A chunk is one transaction, with the
// change of the checkpoint table:
//
//	begin
//	  checkpoint row: items + n, if this writer owns it
//	  the statement, for each item
//	commit                           <- here the items count
//	result with the checkpoint       <- here the broker knows
type sqlWriter struct {
	step       *agent.StepContext
	source     DataSource
	statement  statement
	binds      map[string]string
	batchSize  int
	tableName  string // empty: no checkpoint table
	checkItems bool

	db      *dataSource
	session *session // nil after an error
	rows    *rowWriter
	table   *checkpointTable // nil: none
	replay  *replayCheck     // nil: nothing to compare
	// given is how many items of the run this writer has got. If it is less than
	// the count in the table, the next items are there already.
	given  int64
	unsure bool // the last transaction may be committed or not
}

// writerPosition is the checkpoint of an [SQLWriter].
type writerPosition struct {
	Items int64 `json:"items"`
}

// newSQLWriter creates the writer [SQLWriter].
func (c Config) newSQLWriter(s *agent.StepContext) (agent.ItemWriter[Record], error) {
	p := newProperties(s)
	w := &sqlWriter{step: s, binds: p.withPrefix("bind."), batchSize: p.number("batch_size", 512, 1, 10_000)}
	source := c.dataSource(p)
	w.checkItems = p.choice("check_items", "yes", "no") == "yes"
	w.tableName = p.text("checkpoint_table", "jobstreamer_checkpoints")
	if !tableName.MatchString(w.tableName) {
		p.fault("checkpoint_table", "a name of letters, digits and _, maybe with a schema before a dot", w.tableName)
	}
	if p.choice("checkpoint", "table", "none") == "none" {
		w.tableName = ""
	}
	text := p.written("sql") // with values, it would be code
	if source != nil {
		w.source = *source
		all, err := (&sqlScanner{text: text, dialect: source.Dialect, split: true, anyName: true}).scan()
		switch {
		case err != nil:
			p.faults = append(p.faults, "property sql: "+err.Error())
		case len(all) != 1:
			p.fault("sql", "one statement", text)
		default:
			w.statement = all[0]
		}
		if source.Dialect == OtherSQL && w.tableName != "" {
			p.fault("checkpoint", "none, since this agent cannot lock rows of the database", "table")
		}
	}
	if w.tableName != "" && s.Run == "" {
		p.fault("checkpoint", "none, since the runtime does not name the run of the step", "table")
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return w, nil
}

// Open connects, and takes the row of the checkpoint table over.
func (w *sqlWriter) Open(ctx context.Context, last agent.Checkpoint) (err error) {
	var at writerPosition
	if _, err := last.Load(&at); err != nil {
		return err
	}
	if w.db, err = w.source.open(); err != nil {
		return err
	}
	w.given, w.unsure, w.replay, w.table = at.Items, false, nil, nil
	if err = w.openTable(ctx, at.Items); err != nil {
		_ = w.Close(ctx)
	}
	return err
}

func (w *sqlWriter) openTable(ctx context.Context, items int64) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	if w.tableName == "" {
		return nil
	}
	defer w.session.killWith(ctx)()
	w.table = newCheckpointTable(w.tableName, w.source.Dialect, w.step)
	if err := w.table.takeOver(ctx, w.session.Conn); err != nil {
		return err
	}
	switch n := w.table.items; {
	case n < items:
		return fmt.Errorf("%s has %d items of the step, want at least %d as in its checkpoint: its row was deleted, or belongs to another database", w.tableName, n, items)
	case n > items:
		w.step.Log.Info(fmt.Sprintf("the next %d items were written before the restart", n-items))
		if w.checkItems {
			w.replay = newReplayCheck(w.table, items)
		}
	}
	return nil
}

// connect opens the session, if there is none.
func (w *sqlWriter) connect(ctx context.Context) (err error) {
	if w.session != nil {
		return nil
	}
	if w.session, err = w.db.newSession(ctx); err != nil {
		return asSQLError(fmt.Errorf("connect to the data source: %w", err))
	}
	w.rows = newRowWriter(&w.statement, w.source.Dialect, w.batchSize, w.session.Conn)
	return nil
}

func (w *sqlWriter) disconnect() {
	if w.session != nil {
		w.rows.close()
		_ = w.session.Close()
		w.session = nil
	}
}

// WriteItems writes a chunk in one transaction.
func (w *sqlWriter) WriteItems(ctx context.Context, items []Record) error {
	err := w.tryWrite(ctx, items)
	if err == nil {
		return nil
	}
	w.unsure = true
	w.disconnect()
	if ctx.Err() != nil {
		return context.Cause(ctx) // the error of the driver only repeats it
	}
	return err
}

func (w *sqlWriter) tryWrite(ctx context.Context, items []Record) error {
	rows := make([][]any, len(items))
	for i, item := range items {
		var err error
		if rows[i], err = w.arguments(item); err != nil {
			return fmt.Errorf("item %d of the chunk: %w", i+1, err)
		}
	}
	if !w.unsure && w.alreadyWritten(len(rows)) == len(rows) { // also without a transaction
		if err := w.compare(rows); err != nil {
			return err
		}
		w.given += int64(len(rows))
		return nil
	}
	if err := w.connect(ctx); err != nil {
		return err
	}
	defer w.session.killWith(ctx)()
	tx, err := w.session.BeginTx(ctx, nil)
	if err != nil {
		return asSQLError(fmt.Errorf("begin a transaction: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // it has no effect after the commit
	if err := w.writeRows(ctx, tx, rows); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return asSQLError(fmt.Errorf("commit: %w", err))
	}
	w.given, w.unsure = w.given+int64(len(rows)), false
	if w.table != nil {
		w.table.items = max(w.table.items, w.given)
	}
	return nil
}

// writeRows writes the rows that are not in the database yet, and counts them.
func (w *sqlWriter) writeRows(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	if w.table != nil && w.unsure {
		if err := w.table.reload(ctx, tx); err != nil {
			return err
		}
	}
	skip := w.alreadyWritten(len(rows))
	if err := w.compare(rows[:skip]); err != nil {
		return err
	}
	if skip == len(rows) {
		return nil
	}
	if w.table != nil {
		digest := newItemsDigest()
		for _, row := range rows {
			digest.add(row)
		}
		n := int64(len(rows))
		if err := w.table.advance(ctx, tx, w.given+n, n, digest.text()); err != nil {
			return err
		}
	}
	return asSQLError(w.rows.write(ctx, tx, rows[skip:]))
}

// alreadyWritten returns how many of the next n items are in the database.
func (w *sqlWriter) alreadyWritten(n int) int {
	if w.table == nil {
		return 0
	}
	return int(min(max(w.table.items-w.given, 0), int64(n)))
}

// compare compares items with those that were written before the restart.
func (w *sqlWriter) compare(rows [][]any) error {
	for _, row := range rows {
		if w.replay == nil {
			return nil
		}
		done, err := w.replay.add(row)
		if err != nil {
			return err
		}
		if done {
			w.replay = nil
		}
	}
	return nil
}

// CheckpointInfo returns how many items this run has written. If the last chunk
// was skipped after an error, none of its items counts, except for those that
// are in the database nevertheless.
func (w *sqlWriter) CheckpointInfo(ctx context.Context) (any, error) {
	if w.table == nil {
		return nil, nil
	}
	if w.unsure {
		if err := w.readCount(ctx); err != nil {
			return nil, err
		}
	}
	if w.given == 0 {
		return nil, nil
	}
	return writerPosition{w.given}, nil
}

// readCount sets the position to the count in the table.
func (w *sqlWriter) readCount(ctx context.Context) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	tx, err := w.session.BeginTx(ctx, nil)
	if err != nil {
		w.disconnect()
		return asSQLError(err)
	}
	defer tx.Rollback() //nolint:errcheck // it only reads
	if err := w.table.reload(ctx, tx); err != nil {
		return err
	}
	w.given, w.unsure = w.table.items, false
	return nil
}

// Close closes the connection.
func (w *sqlWriter) Close(context.Context) error {
	w.disconnect()
	_ = w.db.Close() // what counts is committed
	return nil
}

// arguments returns the values of an item for the statement.
func (w *sqlWriter) arguments(item Record) ([]any, error) {
	all := make([]any, len(w.statement.names))
	for i, name := range w.statement.names {
		if text, ok := w.binds[name]; ok {
			all[i] = text
			continue
		}
		v, ok := item[name]
		if !ok {
			return nil, fmt.Errorf("want the column %s for :%[1]s, got the columns %s", name, strings.Join(firstOf(slices.Sorted(maps.Keys(item)), 20), ", "))
		}
		var err error
		if all[i], err = writerArgument(v, w.source.Dialect); err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
	}
	return all, nil
}

// writerArgument returns a value of a record for the driver. PostgreSQL gets
// texts, which it reads as values of the column's type: its driver refuses a
// number for a column of text, and the other way round.
func writerArgument(v any, d Dialect) (any, error) {
	switch v := v.(type) {
	case nil, []byte, string:
		return v, nil
	case json.Number:
		return string(v), nil
	case []any, map[string]any:
		text, err := json.Marshal(v)
		return string(text), err
	}
	if d != Postgres {
		return v, nil
	}
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return strconv.FormatInt(r.Int(), 10), nil
	case r.CanUint():
		return strconv.FormatUint(r.Uint(), 10), nil
	}
	return v, nil
}
