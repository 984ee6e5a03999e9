package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

// dataSourcePrefix begins the names of the variables that define the data
// sources of an agent. The rest is the name of the data source.
const dataSourcePrefix = "JOBSTREAMER_DATASOURCE_"

// dataSources returns the data sources that the environment defines. Its error
// names the variable, and never holds a password.
func dataSources(env map[string]string) (map[string]builtin.DataSource, error) {
	all := map[string]builtin.DataSource{}
	for variable, value := range env {
		name, ok := strings.CutPrefix(variable, dataSourcePrefix)
		if !ok || name == "" {
			continue
		}
		source, err := parseDataSource(value)
		if err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", variable, err)}
		}
		all[name] = source
	}
	return all, nil
}

// parseDataSource reads the URL of a data source.
func parseDataSource(text string) (builtin.DataSource, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The error of url.Parse quotes the password.
		return builtin.DataSource{}, errors.New("want a URL")
	}
	switch u.Scheme {
	case "postgres", "postgresql":
		if _, err := pgx.ParseConfig(text); err != nil {
			return builtin.DataSource{}, fmt.Errorf("want a URL of PostgreSQL: %w", err) // no password in it
		}
		return builtin.DataSource{Driver: "pgx", DSN: text, Dialect: builtin.Postgres}, nil
	case "mysql", "mariadb":
		dsn, err := mysqlDSN(u)
		return builtin.DataSource{Driver: "mysql", DSN: dsn, Dialect: builtin.MySQL}, err
	}
	return builtin.DataSource{}, fmt.Errorf("want a URL that begins with postgres:// or mysql://, got %.20q", u.Scheme)
}

// mysqlDSN returns what the driver of MySQL reads for
// mysql://user:password@host:port/database?parameters. The parameter socket is
// the path of a Unix socket; the others are those of the driver.
func mysqlDSN(u *url.URL) (string, error) {
	query := u.Query()
	socket := query.Get("socket")
	query.Del("socket")
	// The driver reads the parameters.
	c, err := mysql.ParseDSN("/?" + query.Encode())
	if err != nil {
		return "", err
	}
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", cmp.Or(u.Hostname(), "127.0.0.1")+":"+cmp.Or(u.Port(), "3306")
	if strings.Contains(u.Hostname(), ":") {
		c.Addr = "[" + u.Hostname() + "]:" + cmp.Or(u.Port(), "3306")
	}
	if socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	c.DBName = strings.TrimPrefix(u.Path, "/")
	return c.FormatDSN(), nil
}
