package builtin

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// DataSource is a database that jobs can use by its name.
type DataSource struct {
	Driver  string // name of a driver of package database/sql
	DSN     string // as the driver reads it; with the password
	Dialect Dialect
}

// dataSource returns the database that a property names, or nil.
func (c *Config) dataSource(p *properties) *DataSource {
	name := p.requiredText("data_source", "the name of a data source of the agent")
	d, ok := c.DataSources[name]
	if ok {
		return &d
	}
	if name != "" {
		known := "it has none"
		if len(c.DataSources) > 0 {
			known = "it has " + strings.Join(slices.Sorted(maps.Keys(c.DataSources)), ", ")
		}
		p.faults = append(p.faults, fmt.Sprintf("property data_source: the agent has no data source %.60q, %s", name, known))
	}
	return nil
}

// open opens the database. It does not connect yet.
func (d DataSource) open() (*dataSource, error) {
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		return nil, fmt.Errorf("open the data source: %w", err)
	}
	db.SetMaxOpenConns(3)
	return &dataSource{DataSource: d, DB: db}, nil
}

// dataSource is an open [DataSource].
type dataSource struct {
	DataSource
	*sql.DB
}

// session is a connection to a data source.
type session struct {
	*sql.Conn
	source *dataSource
	id     int64 // by which MySQL knows the connection
}

func (d *dataSource) newSession(ctx context.Context) (*session, error) {
	conn, err := d.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{Conn: conn, source: d}
	if d.Dialect == MySQL {
		if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&s.id); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return s, nil
}

// killWith ends the connection in the database when ctx ends. Otherwise the
// driver of MySQL only closes the connection, and the server notices that when
// the query has ended. stop ends the watch. It waits while the connection is
// being killed.
func (s *session) killWith(ctx context.Context) (stop func()) {
	if s.source.Dialect != MySQL {
		return func() {}
	}
	killed := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(killed)
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer done()
		_, _ = s.source.ExecContext(ctx, fmt.Sprintf("KILL %d", s.id)) // it may have ended
	})
	return func() {
		if !cancel() {
			<-killed
		}
	}
}

// connect returns a connection. When ctx ends, its query ends in the database
// too. release waits until that is done, and closes the connection.
func (d *dataSource) connect(ctx context.Context) (conn *sql.Conn, release func(), err error) {
	s, err := d.newSession(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := s.killWith(ctx)
	return s.Conn, func() { stop(); _ = s.Close() }, nil
}

// arguments returns the values for the placeholders of a statement.
func (s *statement) arguments(values map[string]string) []any {
	var all []any
	for _, name := range s.names {
		all = append(all, values[name])
	}
	return all
}
