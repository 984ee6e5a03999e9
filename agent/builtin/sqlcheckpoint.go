package builtin

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"regexp"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// checkpointTable is the place of a writer in the table that counts its items,
// in the transactions that write them.
//
//	app, instance, step, part    the key: a step of a job instance, or a partition
//	run                          of the step: the count begins at 0 in each
//	execution, attempt           of the writer that may write
//	items                        how many have been written or left out
//	last_items, last_digest      of the newest transaction
//
// The agent can die when the database has committed and the broker has not. So
// items may be more than the writer's checkpoint in the broker, never less, and
// the next items that the reader delivers are the ones written already.
//
// An agent that was taken for dead may still run. Each writer takes the row over
// when it opens, unless the row has a newer execution or attempt. A transaction
// of a writer that no longer owns the row fails.
type checkpointTable struct {
	name       string
	dialect    Dialect
	key        []any
	job        string
	run        string
	execution  int64
	attempt    int
	items      int64
	lastItems  int64
	lastDigest string
}

// tableName is a name that needs no quotes, maybe with a schema.
var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

func newCheckpointTable(name string, d Dialect, s *agent.StepContext) *checkpointTable {
	part := -1
	if s.Partitions > 0 {
		part = s.Partition
	}
	var instance int64
	if s.JobContext != nil {
		instance = s.JobContext.InstanceID
	}
	return &checkpointTable{
		name: name, dialect: d, key: []any{s.App, instance, s.Step, part},
		job: s.Job, run: s.Run, execution: s.ExecutionID, attempt: s.Attempt,
	}
}

// statement returns a statement with the name of the table in place of %s.
// Placeholders are ? in text.
func (c *checkpointTable) statement(text string) string {
	q := &queryText{dialect: c.dialect}
	n := 0
	for _, r := range fmt.Sprintf(text, c.name) {
		if r == '?' {
			n++
			q.b.WriteString(placeholder(c.dialect, n))
			continue
		}
		q.b.WriteRune(r)
	}
	return q.b.String()
}

const whereKey = " WHERE app = ? AND instance = ? AND step = ? AND part = ?"

// create creates the table.
func (c *checkpointTable) create(ctx context.Context, conn *sql.Conn) error {
	text := `CREATE TABLE IF NOT EXISTS %s (
  app varchar(128) NOT NULL, instance bigint NOT NULL, step varchar(255) NOT NULL, part int NOT NULL,
  job varchar(128) NOT NULL, run varchar(32) NOT NULL, execution bigint NOT NULL, attempt int NOT NULL,
  items bigint NOT NULL, last_items bigint NOT NULL, last_digest varchar(64) NOT NULL,
  updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (app, instance, step, part)
)`
	if c.dialect == MySQL {
		text += " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin" // steps differ in case
	}
	_, err := conn.ExecContext(ctx, c.statement(text))
	return err
}

// prepareRow makes sure that the table and the row exist. It reads first: the
// user of the database need not be allowed to create tables.
func (c *checkpointTable) prepareRow(ctx context.Context, conn *sql.Conn) error {
	found, err := c.hasRow(ctx, conn)
	if err != nil {
		createErr := c.create(ctx, conn)
		if found, err = c.hasRow(ctx, conn); err != nil {
			if createErr != nil {
				err = createErr
			}
			return fmt.Errorf("the table %s cannot be read or created: %w", c.name, err)
		}
	}
	if found {
		return nil
	}
	args := append(append([]any{}, c.key...), c.job, c.run, c.execution, c.attempt)
	_, err = conn.ExecContext(ctx, c.statement("INSERT INTO %s (app, instance, step, part, job, run, execution, attempt, items, last_items, last_digest)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '')"), args...)
	if found, foundErr := c.hasRow(ctx, conn); foundErr == nil && found {
		return nil // another writer was faster
	}
	return err
}

func (c *checkpointTable) hasRow(ctx context.Context, conn *sql.Conn) (bool, error) {
	var one int
	err := conn.QueryRowContext(ctx, c.statement("SELECT 1 FROM %s"+whereKey), c.key...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// takeOver makes this writer the owner of the row, and reads the count.
func (c *checkpointTable) takeOver(ctx context.Context, conn *sql.Conn) error {
	if err := c.prepareRow(ctx, conn); err != nil {
		return asSQLError(err)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return asSQLError(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has no effect after the commit
	was, err := c.lockRow(ctx, tx)
	if err != nil {
		return err
	}
	if was.isNewerThan(c) {
		return c.lostTo(was)
	}
	c.items, c.lastItems, c.lastDigest = was.items, was.lastItems, was.lastDigest
	if was.run != c.run {
		c.items, c.lastItems, c.lastDigest = 0, 0, ""
	}
	args := append([]any{c.job, c.run, c.execution, c.attempt, c.items, c.lastItems, c.lastDigest}, c.key...)
	_, err = tx.ExecContext(ctx, c.statement("UPDATE %s SET job = ?, run = ?, execution = ?, attempt = ?, items = ?, last_items = ?, last_digest = ?,"+
		" updated_at = CURRENT_TIMESTAMP"+whereKey), args...)
	if err == nil {
		err = tx.Commit()
	}
	return asSQLError(err)
}

// lockRow reads the row and locks it until the transaction ends.
func (c *checkpointTable) lockRow(ctx context.Context, tx *sql.Tx) (*checkpointTable, error) {
	var was checkpointTable
	err := tx.QueryRowContext(ctx, c.statement("SELECT run, execution, attempt, items, last_items, last_digest FROM %s"+whereKey+" FOR UPDATE"), c.key...).
		Scan(&was.run, &was.execution, &was.attempt, &was.items, &was.lastItems, &was.lastDigest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("the row of the step in %s was deleted while the step runs", c.name)
	}
	return &was, asSQLError(err)
}

func (c *checkpointTable) isNewerThan(o *checkpointTable) bool {
	return c.execution > o.execution || c.execution == o.execution && c.attempt > o.attempt
}

func (c *checkpointTable) lostTo(was *checkpointTable) error {
	return fmt.Errorf("attempt %d of execution %d writes the step %v of job %s now, so attempt %d of execution %d does not: see the row of instance %v in %s",
		was.attempt, was.execution, c.key[2], c.job, c.attempt, c.execution, c.key[1], c.name)
}

// reload reads the count in a transaction. It fails if another writer has taken
// the row over.
func (c *checkpointTable) reload(ctx context.Context, tx *sql.Tx) error {
	was, err := c.lockRow(ctx, tx)
	if err != nil {
		return err
	}
	if was.run != c.run || was.execution != c.execution || was.attempt != c.attempt {
		return c.lostTo(was)
	}
	c.items = was.items
	return nil
}

// advance sets the count, if this writer owns the row and the count is as it
// expects.
func (c *checkpointTable) advance(ctx context.Context, tx *sql.Tx, to, last int64, digest string) error {
	args := append([]any{to, last, digest}, c.key...)
	args = append(args, c.run, c.execution, c.attempt, c.items)
	result, err := tx.ExecContext(ctx, c.statement("UPDATE %s SET items = ?, last_items = ?, last_digest = ?, updated_at = CURRENT_TIMESTAMP"+
		whereKey+" AND run = ? AND execution = ? AND attempt = ? AND items = ?"), args...)
	if err != nil {
		return asSQLError(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return asSQLError(err)
	}
	if n == 1 {
		return nil
	}
	expected := c.items
	if err := c.reload(ctx, tx); err != nil {
		return err
	}
	return fmt.Errorf("%s has %d items of the step, want %d: it was changed while the step runs", c.name, c.items, expected)
}

// itemsDigest is the digest of items, by the values that go to the database.
type itemsDigest struct{ hash.Hash }

func newItemsDigest() itemsDigest { return itemsDigest{sha256.New()} }

func (d itemsDigest) add(args []any) {
	for _, v := range args {
		text := ""
		switch v := v.(type) {
		case []byte:
			text = string(v)
		case string:
			text = v
		default:
			text = fmt.Sprint(v)
		}
		_, _ = fmt.Fprintf(d, "%T %d %s ", v, len(text), text) // a hash returns no error
	}
}

func (d itemsDigest) text() string { return hex.EncodeToString(d.Sum(nil)) }

// replayCheck compares the items that were written before a restart with those
// that come again.
type replayCheck struct {
	digest itemsDigest
	left   int64 // items to come
	want   string
}

// newReplayCheck returns the check for a writer whose checkpoint is at, or nil if
// the row does not tell.
func newReplayCheck(c *checkpointTable, at int64) *replayCheck {
	if c.lastItems == 0 || c.items-c.lastItems != at {
		return nil
	}
	return &replayCheck{newItemsDigest(), c.lastItems, c.lastDigest}
}

// add adds an item. It returns whether the check is done, and an error if the
// items are others.
func (r *replayCheck) add(args []any) (done bool, err error) {
	r.digest.add(args)
	if r.left--; r.left > 0 {
		return false, nil
	}
	if r.digest.text() != r.want {
		return false, errors.New("the items are not those that were written before the restart: reader and processor must deliver the same again; " +
			"property check_items: want no to go on nevertheless")
	}
	return true, nil
}
