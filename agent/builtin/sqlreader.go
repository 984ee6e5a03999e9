package builtin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// sqlReader is the reader [SQLReader].
//
//	with a key:     SELECT * FROM (query) WHERE key > last ORDER BY key LIMIT n, page by page
//	without a key:  the query, once; Open counts the rows that were read before
//
// With pages no transaction is open while the items are processed and written,
// however long the step runs, and a restart finds its place by an index.
type sqlReader struct {
	source    DataSource
	statement statement
	binds     map[string]string
	key       []string // columns; empty: none
	fetchSize int

	db     *dataSource // nil: not open
	stream *sqlStream  // of the query without a key; nil: not begun
	buffer []sqlRow    // that were fetched and not returned
	atEnd  bool        // nothing is behind the buffer

	// The position behind the item that was returned last.
	after []keyValue // nil: no item
	rows  int64      // without a key
}

// sqlRow is a row as an item, with its place.
type sqlRow struct {
	record Record
	key    []keyValue
}

// readerPosition is the checkpoint of an [SQLReader].
type readerPosition struct {
	Columns []string   `json:"columns,omitempty"` // of Key
	Key     []keyValue `json:"key,omitempty"`
	Rows    int64      `json:"rows,omitempty"`
}

// newSQLReader creates the reader [SQLReader].
func (c Config) newSQLReader(s *agent.StepContext) (agent.ItemReader[Record], error) {
	p := newProperties(s)
	r := &sqlReader{binds: p.withPrefix("bind."), fetchSize: p.number("fetch_size", 1000, 1, 100_000)}
	source := c.dataSource(p)
	for _, column := range strings.Split(p.text("key", ""), ",") {
		if column = strings.TrimSpace(column); column != "" {
			r.key = append(r.key, column)
		}
	}
	if strings.ContainsRune(strings.Join(r.key, ""), 0) {
		p.fault("key", "names of columns, separated by commas", p.text("key", ""))
	}
	if source != nil {
		r.source = *source
		r.statement = readStatement(p, source, "a query", r.binds)
	} else {
		p.known["sql"] = true
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// readStatement returns the only statement of the property sql.
func readStatement(p *properties, source *DataSource, want string, known map[string]string) statement {
	text := p.written("sql") // with values, it would be code
	all, err := parseStatements(text, source.Dialect, true, known)
	switch {
	case err != nil:
		p.faults = append(p.faults, "property sql: "+err.Error())
	case len(all) != 1:
		p.fault("sql", want+", and no other statement", text)
	default:
		return all[0]
	}
	return statement{}
}

// Open prepares the reader to read the row after the checkpoint. It does not
// connect yet, so a stop can end the wait for the first rows.
func (r *sqlReader) Open(_ context.Context, last agent.Checkpoint) error {
	var at readerPosition
	if _, err := last.Load(&at); err != nil {
		return err
	}
	if at.Key != nil && len(at.Key) != len(r.key) || at.Rows > 0 && len(r.key) > 0 || at.Columns != nil && !slices.Equal(at.Columns, r.key) {
		return fmt.Errorf("property key: want the columns as before the restart, got %q", strings.Join(r.key, ","))
	}
	r.after, r.rows, r.buffer, r.atEnd, r.stream = at.Key, at.Rows, nil, false, nil
	var err error
	r.db, err = r.source.open()
	return err
}

// ReadItem returns the next row.
func (r *sqlReader) ReadItem(ctx context.Context) (Record, error) {
	if len(r.buffer) == 0 && !r.atEnd {
		if err := r.fetch(ctx); err != nil {
			r.buffer = nil
			if ctx.Err() != nil {
				return nil, context.Cause(ctx) // the error of the driver only repeats it
			}
			return nil, err
		}
	}
	if len(r.buffer) == 0 {
		return nil, io.EOF
	}
	row := r.buffer[0]
	r.buffer[0] = sqlRow{}
	r.buffer = r.buffer[1:]
	r.after = row.key
	r.rows++
	return row.record, nil
}

// CheckpointInfo returns the place of the row that was returned last.
func (r *sqlReader) CheckpointInfo(context.Context) (any, error) {
	switch {
	case len(r.key) == 0 && r.rows > 0:
		return readerPosition{Rows: r.rows}, nil
	case r.after != nil:
		return readerPosition{Columns: r.key, Key: r.after}, nil
	}
	return nil, nil
}

// Close closes the connection.
func (r *sqlReader) Close(context.Context) error {
	if r.stream != nil {
		if !r.atEnd {
			r.stream.cancel() // else the driver would read the rest
		}
		r.stream.close()
	}
	r.stream, r.buffer = nil, nil
	_ = r.db.Close() // a failure loses nothing that was read
	return nil
}

// fetch fills the buffer, unless there are no more rows.
func (r *sqlReader) fetch(ctx context.Context) error {
	if len(r.key) == 0 {
		return r.fetchStreamed(ctx)
	}
	conn, release, err := r.db.connect(ctx)
	if err != nil {
		return asSQLError(fmt.Errorf("connect to the data source: %w", err))
	}
	defer release()
	text, args, err := r.pageQuery()
	if err != nil {
		return err
	}
	rows, closeRows, err := r.query(ctx, conn, text, args)
	if err != nil {
		return err
	}
	defer closeRows()
	if r.buffer, err = readRows(rows, r.key, r.fetchSize+1); err != nil {
		return err
	}
	if err := checkUnique(r.buffer, r.key); err != nil {
		return err
	}
	if len(r.buffer) > r.fetchSize { // the last one was only read for checkUnique
		r.buffer = r.buffer[:r.fetchSize]
		return nil
	}
	r.atEnd = true
	closeRows()
	return r.checkNulls(ctx, conn)
}

// query runs a query. Prepared statements of MySQL return values with their
// types.
func (r *sqlReader) query(ctx context.Context, conn *sql.Conn, text string, args []any) (*sql.Rows, func(), error) {
	if r.source.Dialect != MySQL {
		rows, err := conn.QueryContext(ctx, text, args...)
		return rows, func() { _ = rows.Close() }, asSQLError(err)
	}
	s, err := conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, nil, asSQLError(err)
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		_ = s.Close()
		return nil, nil, asSQLError(err)
	}
	return rows, func() { _ = rows.Close(); _ = s.Close() }, nil
}

// pageQuery returns the query for the rows after the last one.
func (r *sqlReader) pageQuery() (text string, args []any, err error) {
	q := &queryText{dialect: r.source.Dialect, args: r.statement.arguments(r.binds)}
	fmt.Fprintf(&q.b, "SELECT * FROM (\n%s\n) AS jobstreamer_rows", r.statement.text)
	if r.after != nil {
		q.b.WriteString(" WHERE ")
		if err := q.writeAfter(r.key, r.after); err != nil {
			return "", nil, fmt.Errorf("checkpoint: %w", err)
		}
	}
	fmt.Fprintf(&q.b, " ORDER BY %s LIMIT %d", q.columns(r.key), r.fetchSize+1)
	return q.b.String(), q.args, nil
}

// checkNulls returns an error if the query has rows without a key that the pages
// have left out. Those come last in PostgreSQL, and first in MySQL, where
// the first page had them.
func (r *sqlReader) checkNulls(ctx context.Context, conn *sql.Conn) error {
	if r.after == nil || r.source.Dialect == MySQL {
		return nil
	}
	q := &queryText{dialect: r.source.Dialect}
	fmt.Fprintf(&q.b, "SELECT 1 FROM (\n%s\n) AS jobstreamer_rows WHERE ", r.statement.text)
	for i, column := range r.key {
		if i > 0 {
			q.b.WriteString(" OR ")
		}
		q.b.WriteString(q.columns([]string{column}) + " IS NULL")
	}
	q.b.WriteString(" LIMIT 1")
	var one int
	err := conn.QueryRowContext(ctx, q.b.String(), r.statement.arguments(r.binds)...).Scan(&one)
	if err == nil {
		return fmt.Errorf("property key: want columns without NULL, got %s", strings.Join(r.key, ","))
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return asSQLError(err)
}

// queryText is a query that is being written.
type queryText struct {
	dialect Dialect
	b       strings.Builder
	args    []any
}

// columns returns the names of columns in quotes.
func (q *queryText) columns(names []string) string {
	quote := `"`
	if q.dialect == MySQL {
		quote = "`"
	}
	var all []string
	for _, name := range names {
		all = append(all, quote+strings.ReplaceAll(name, quote, quote+quote)+quote)
	}
	return strings.Join(all, ", ")
}

// writeValue writes a value, as a placeholder. MySQL would compare a decimal
// with a text as floating-point numbers, so it gets the digits.
func (q *queryText) writeValue(k keyValue) error {
	v, err := k.argument()
	switch {
	case err != nil:
		return err
	case k.Type == "decimal" && q.dialect != Postgres:
		q.b.WriteString(k.Value)
		return nil
	}
	q.args = append(q.args, v)
	q.b.WriteString(placeholder(q.dialect, len(q.args)))
	return nil
}

// placeholder returns the placeholder for the value with a number, from 1.
func placeholder(d Dialect, n int) string {
	if d == Postgres {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// writeAfter writes the condition of the rows after a key. PostgreSQL finds them
// by an index if the key is compared as a row, MySQL if the columns are compared
// one by one.
func (q *queryText) writeAfter(names []string, after []keyValue) error {
	if q.dialect == Postgres {
		return q.writeRow(q.columns(names), after)
	}
	first := q.columns(names[:1])
	if len(names) == 1 {
		q.b.WriteString(first + " > ")
		return q.writeValue(after[0])
	}
	q.b.WriteString(first + " >= ")
	if err := q.writeValue(after[0]); err != nil {
		return err
	}
	q.b.WriteString(" AND (" + first + " > ")
	if err := q.writeValue(after[0]); err != nil {
		return err
	}
	q.b.WriteString(" OR ")
	if err := q.writeAfter(names[1:], after[1:]); err != nil {
		return err
	}
	q.b.WriteByte(')')
	return nil
}

func (q *queryText) writeRow(columns string, after []keyValue) error {
	fmt.Fprintf(&q.b, "(%s) > (", columns)
	for i, k := range after {
		if i > 0 {
			q.b.WriteString(", ")
		}
		if err := q.writeValue(k); err != nil {
			return err
		}
	}
	q.b.WriteByte(')')
	return nil
}

// readRows reads up to most rows.
func readRows(rows *sql.Rows, key []string, most int) (all []sqlRow, err error) {
	names, kinds, err := columnKinds(rows)
	if err != nil {
		return nil, asSQLError(err)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("property sql: want different names for the columns, got %q twice", name)
		}
	}
	keyColumns := make([]int, len(key))
	for i, name := range key {
		if keyColumns[i] = slices.Index(names, name); keyColumns[i] < 0 {
			return nil, fmt.Errorf("property key: want some of the columns %s, got %q", strings.Join(firstOf(names, 20), ", "), name)
		}
	}
	values, targets := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	for len(all) < most && rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, asSQLError(err)
		}
		row := sqlRow{record: make(Record, len(names))}
		for i, name := range names {
			row.record[name] = recordValue(values[i], kinds[i])
		}
		for i, at := range keyColumns {
			k, err := newKeyValue(values[at], kinds[at])
			if err != nil {
				return nil, fmt.Errorf("property key: column %s: %w", key[i], err)
			}
			row.key = append(row.key, k)
		}
		all = append(all, row)
	}
	return all, asSQLError(rows.Err())
}

// checkUnique returns an error if two rows that follow each other have the same
// key: a page would begin after both of them.
func checkUnique(rows []sqlRow, key []string) error {
	for i := 1; i < len(rows); i++ {
		if slices.Equal(rows[i-1].key, rows[i].key) {
			return fmt.Errorf("property key: want columns that are unique together, got two rows with the same %s", strings.Join(key, ","))
		}
	}
	return nil
}

// sqlStream is the query of a reader without a key.
type sqlStream struct {
	rows   *sql.Rows
	cancel context.CancelFunc
	close  func()
}

// fetchStreamed reads the next rows of the only query.
func (r *sqlReader) fetchStreamed(ctx context.Context) (err error) {
	if r.stream == nil {
		if r.stream, err = r.openStream(ctx); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, r.stream.cancel)
	defer stop()
	if r.buffer, err = readRows(r.stream.rows, nil, r.fetchSize); err != nil {
		r.stream.cancel()
		r.stream.close()
		r.stream = nil
		return err
	}
	r.atEnd = len(r.buffer) < r.fetchSize
	return nil
}

// openStream runs the query, and skips the rows that were read before. The
// query lives on when ctx ends.
func (r *sqlReader) openStream(ctx context.Context) (s *sqlStream, err error) {
	s = &sqlStream{}
	var live context.Context
	live, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	conn, release, err := r.db.connect(live)
	if err != nil {
		s.cancel()
		return nil, asSQLError(fmt.Errorf("connect to the data source: %w", err))
	}
	s.close = func() { release(); s.cancel() }
	if r.source.Dialect == MySQL { // it gives up after a minute in which no rows are taken
		if _, err := conn.ExecContext(live, "SET SESSION net_write_timeout = 86400"); err != nil {
			s.close()
			return nil, asSQLError(err)
		}
	}
	rows, closeRows, err := r.query(live, conn, r.statement.text, r.statement.arguments(r.binds))
	if err != nil {
		s.close()
		return nil, err
	}
	s.rows, s.close = rows, func() { closeRows(); release(); s.cancel() }
	passed := int64(0)
	for passed < r.rows && rows.Next() {
		passed++
	}
	err = asSQLError(rows.Err())
	if err == nil && passed < r.rows {
		err = fmt.Errorf("property sql: want at least %d rows, as were read before the restart, got %d", r.rows, passed)
	}
	if err != nil {
		s.cancel()
		s.close()
		return nil, err
	}
	return s, nil
}
