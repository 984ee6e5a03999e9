package main

import (
	"strings"
	"testing"
)

func TestDataSources(t *testing.T) {
	for _, test := range []struct{ name, url, driver, dsn, err string }{
		{"PostgreSQL", "postgres://ann:p%40ss@db:5433/shop?sslmode=require", "pgx", "postgres://ann:p%40ss@db:5433/shop?sslmode=require", ""},
		{"MySQL", "mysql://ann:p%40s%2Fs@db:3307/shop?tls=true&timeout=5s", "mysql", "ann:p@s/s@tcp(db:3307)/shop?timeout=5s&tls=true", ""},
		{"MariaDB with the usual port", "mariadb://ann@db/shop", "mysql", "ann@tcp(db:3306)/shop", ""},
		{"a socket", "mysql://ann@/shop?socket=/run/mysqld/mysqld.sock", "mysql", "ann@unix(/run/mysqld/mysqld.sock)/shop", ""},
		{"an address of IPv6", "mysql://ann@[::1]:3307/shop", "mysql", "ann@tcp([::1]:3307)/shop", ""},
		{"another database", "oracle://ann:secret@db/shop", "", "", `want a URL that begins with postgres:// or mysql://, got "oracle"`},
		{"no URL", "postgres://ann:secret@db:x y/", "", "", "want a URL"},
		{"a bad option", "postgres://ann:secret@db/shop?sslmode=perhaps", "", "", "want a URL of PostgreSQL"},
		{"a bad option of MySQL", "mysql://ann:secret@db/shop?timeout=soon", "", "", "soon"},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, err := dataSources(map[string]string{"JOBSTREAMER_DATASOURCE_SHOP": test.url, "JOBSTREAMER_DATASOURCE_": "x", "PATH": "/bin"})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), "JOBSTREAMER_DATASOURCE_SHOP") || strings.Contains(err.Error(), "secret") {
					t.Errorf("the error is %v, want %s", err, test.err)
				}
				return
			}
			if d := all["SHOP"]; err != nil || len(all) != 1 || d.Driver != test.driver || d.DSN != test.dsn {
				t.Errorf("got %+v, %v; want %s %s", all, err, test.driver, test.dsn)
			}
		})
	}
}
