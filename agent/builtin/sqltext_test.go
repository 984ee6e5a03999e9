package builtin

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseStatements(t *testing.T) {
	known := map[string]string{"a": "", "b_1": ""}
	for _, test := range []struct {
		name    string
		dialect Dialect
		text    string
		want    string // statements with their names
		err     string
	}{
		{"two statements", OtherSQL, "insert into t values (1);\n update t set a = 2 ;\n", "insert into t values (1)[] | update t set a = 2[]", ""},
		{"nothing", OtherSQL, " ;; -- a\n/* b */;", "", ""},
		{"names", OtherSQL, "update t set x = :a, y = :b_1 where z = :a", "update t set x = ?, y = ? where z = ?[a b_1 a]", ""},
		{"names of PostgreSQL", Postgres, "select :a, :b_1, :a; select :b_1", "select $1, $2, $3[a b_1 a] | select $1[b_1]", ""},
		{"no names", Postgres, "select x::int, y:=1, z[1:2], 'a :a', \":a\"", "select x::int, y:=1, z[1:2], 'a :a', \":a\"[]", ""},
		{"an unknown name", OtherSQL, "select :c", "", "want the property bind.c for :c"},
		{"semicolons in quotes and comments", OtherSQL, "select ';''; :a', \"a;b\" -- c; :a\n, /* ; :a */ 1; x", "select ';''; :a', \"a;b\" -- c; :a\n, /* ; :a */ 1[] | x[]", ""},
		{"backslashes of MySQL", MySQL, `select 'a\';b', "c\";d", ` + "`e;\\`" + `; x # y; 'z` + "\n;", `select 'a\';b', "c\";d", ` + "`e;\\`" + `[] | x # y; 'z[]`, ""},
		{"no backslashes in PostgreSQL", Postgres, `select 'a\'; x`, `select 'a\'[] | x[]`, ""},
		{"backslashes in E strings", Postgres, `select E'a\';b', name'\'; x`, `select E'a\';b', name'\'[] | x[]`, ""},
		{"dollar quotes", Postgres, "do $$ begin; :a; end $$; select $x$ $$;$y$ $x$, a$1$", "do $$ begin; :a; end $$[] | select $x$ $$;$y$ $x$, a$1$[]", ""},
		{"comments in comments", Postgres, "a /* b /* ; */ ; */ c; d", "a /* b /* ; */ ; */ c[] | d[]", ""},
		{"no comments in comments", MySQL, "a /* b /* ; */ ; c", "a /* b /* ; */[] | c[]", ""},
		{"a comment that runs", MySQL, "/*!40101 set x = 1 */;", "/*!40101 set x = 1 */[]", ""},
		{"a quote without an end", OtherSQL, "select 'a; b", "", `the quote at "'a; b" has no end`},
		{"a comment without an end", OtherSQL, "select /* a", "", `the comment at "/* a" has no end`},
		{"a dollar quote without an end", Postgres, "select $a$ b $b$", "", "has no end"},
		{"other scripts", OtherSQL, "select größe, :a as 数", "select größe, ? as 数[a]", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, err := parseStatements(test.text, test.dialect, true, known)
			var words []string
			for _, s := range all {
				words = append(words, fmt.Sprint(s.text, s.names))
			}
			if got := strings.Join(words, " | "); test.err == "" && (err != nil || got != test.want) {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
			if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("got %v, want %s", err, test.err)
			}
		})
	}
	if all, err := parseStatements("create procedure p() begin a; b; end;", MySQL, false, nil); err != nil || len(all) != 1 {
		t.Errorf("without splitting it is %v, %v", all, err)
	}
}

// No text makes the scanner panic, and without names it loses nothing but
// semicolons and spaces.
func FuzzParseStatements(f *testing.F) {
	f.Add("select 'a''b'; -- c\n", "mysql")
	f.Add("do $$ x $$; select E'\\''", "postgres")
	f.Fuzz(func(t *testing.T, text, dialect string) {
		all, err := parseStatements(text, Dialect(dialect), true, nil)
		if err != nil {
			return
		}
		clean := func(s string) string {
			return strings.NewReplacer(";", "", " ", "", "\n", "", "\t", "", "\r", "").Replace(s)
		}
		var again strings.Builder
		for _, s := range all {
			again.WriteString(s.text)
		}
		// A part of only comments is no statement.
		if len(clean(again.String())) > len(clean(text)) {
			t.Errorf("%q became %q", text, again.String())
		}
	})
}
