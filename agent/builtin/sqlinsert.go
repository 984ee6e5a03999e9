package builtin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// maxPlaceholders is how many values a statement may have in both databases.
const maxPlaceholders = 65535

// rowWriter runs the statement of a writer for many items. An INSERT gets several
// rows at a time, which saves most round trips.
type rowWriter struct {
	*statement
	dialect Dialect
	most    int // rows at a time: a power of 2
	conn    *sql.Conn
	ready   map[int]*sql.Stmt // by number of rows
}

func newRowWriter(s *statement, d Dialect, most int, conn *sql.Conn) *rowWriter {
	w := &rowWriter{statement: s, dialect: d, most: 1, conn: conn, ready: map[int]*sql.Stmt{}}
	if s.values.end > 0 {
		for 2*w.most <= most && 2*w.most*len(s.names) <= maxPlaceholders {
			w.most *= 2
		}
	}
	return w
}

func (w *rowWriter) close() {
	for _, s := range w.ready {
		_ = s.Close()
	}
}

// write runs the statement for all rows. Numbers of rows are powers of 2, so
// that there are few prepared statements.
func (w *rowWriter) write(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	// INSERT ... ON CONFLICT DO UPDATE of PostgreSQL refuses two rows for one key.
	mayConflict := w.dialect == Postgres && w.most > 1 && strings.TrimSpace(w.text[w.values.end:]) != ""
	for at, n := 0, w.most; at < len(rows); at += n {
		for n > len(rows)-at {
			n /= 2
		}
		part := rows[at : at+n]
		if !mayConflict || n == 1 {
			if err := w.exec(ctx, part); err != nil {
				return describeRows(err, at, n)
			}
			continue
		}
		if err := w.writeConflicting(ctx, tx, part); err != nil {
			return describeRows(err, at, n)
		}
	}
	return nil
}

func describeRows(err error, at, n int) error {
	if n == 1 {
		return fmt.Errorf("item %d of the chunk: %w", at+1, err)
	}
	return fmt.Errorf("items %d to %d of the chunk: %w", at+1, at+n, err)
}

// writeConflicting writes rows together, or one by one if two of them have the
// same key.
func (w *rowWriter) writeConflicting(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT jobstreamer_rows"); err != nil {
		return err
	}
	err := w.exec(ctx, rows)
	var state interface{ SQLState() string }
	if err == nil || !errors.As(err, &state) || state.SQLState() != "21000" { // cardinality violation
		return err
	}
	if _, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT jobstreamer_rows"); err != nil {
		return err
	}
	for i := range rows {
		if err := w.exec(ctx, rows[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// exec runs the statement once, for some rows, in the transaction that is open on
// the connection.
func (w *rowWriter) exec(ctx context.Context, rows [][]any) error {
	s := w.ready[len(rows)]
	if s == nil {
		var err error
		if s, err = w.conn.PrepareContext(ctx, w.textFor(len(rows))); err != nil {
			return err
		}
		w.ready[len(rows)] = s
	}
	args := make([]any, 0, len(rows)*len(w.names))
	for _, row := range rows {
		args = append(args, row...)
	}
	_, err := s.ExecContext(ctx, args...) // tx.Stmt would prepare it again
	return err
}

// textFor returns the statement for some rows.
func (w *rowWriter) textFor(rows int) string {
	if rows == 1 {
		return w.text
	}
	var b strings.Builder
	b.WriteString(w.text[:w.values.start])
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		at := w.values.start
		for i, place := range w.places {
			b.WriteString(w.text[at:place])
			b.WriteString(placeholder(w.dialect, row*len(w.places)+i+1))
			at = place + len(placeholder(w.dialect, i+1))
		}
		b.WriteString(w.text[at:w.values.end])
	}
	b.WriteString(w.text[w.values.end:])
	return b.String()
}
