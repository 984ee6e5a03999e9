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

// openDataSource opens the database that a property names.
func (c *Config) openDataSource(p *properties) *dataSource {
	name := p.requiredText("data_source", "the name of a data source of the agent")
	d, ok := c.DataSources[name]
	if !ok {
		if name != "" {
			known := "it has none"
			if len(c.DataSources) > 0 {
				known = "it has " + strings.Join(slices.Sorted(maps.Keys(c.DataSources)), ", ")
			}
			p.faults = append(p.faults, fmt.Sprintf("property data_source: the agent has no data source %.60q, %s", name, known))
		}
		return nil
	}
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		p.faults = append(p.faults, fmt.Sprintf("property data_source: %s: %v", name, err))
		return nil
	}
	db.SetMaxOpenConns(3)
	return &dataSource{DataSource: d, DB: db}
}

// dataSource is an open [DataSource].
type dataSource struct {
	DataSource
	*sql.DB
}

// connect returns a connection. When ctx ends, its query ends in the database
// too. release waits until that is done, and closes the connection.
func (d *dataSource) connect(ctx context.Context) (conn *sql.Conn, release func(), err error) {
	if conn, err = d.Conn(ctx); err != nil {
		return nil, nil, err
	}
	stop := func() {}
	if d.Dialect == MySQL {
		// Its driver only closes the connection, and the server notices that when
		// the query has ended.
		var id int64
		if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			_ = conn.Close()
			return nil, nil, err
		}
		killed := make(chan struct{})
		cancel := context.AfterFunc(ctx, func() {
			defer close(killed)
			ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer done()
			_, _ = d.ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // it may have ended
		})
		stop = func() {
			if !cancel() {
				<-killed
			}
		}
	}
	return conn, func() { stop(); _ = conn.Close() }, nil
}

// arguments returns the values for the placeholders of a statement.
func (s *statement) arguments(values map[string]string) []any {
	var all []any
	for _, name := range s.names {
		all = append(all, values[name])
	}
	return all
}
