package builtin

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Dialect tells how to read the statements for a database.
type Dialect string

// Dialects. [OtherSQL] has the strings and comments of the SQL standard, and
// question marks for values.
const (
	Postgres Dialect = "postgres"
	MySQL    Dialect = "mysql" // and MariaDB
	OtherSQL Dialect = ""
)

// statement is one SQL statement.
type statement struct {
	text  string   // with the placeholders of the database
	names []string // of the values, one for each placeholder
	// places are where the placeholders begin in text.
	places []int
	values valuesGroup
}

// valuesGroup is the only row of an INSERT: the part (...) of VALUES (...), if
// all placeholders are in it and no query is.
type valuesGroup struct {
	start, end int // in the text; end 0: there is no such row
}

// sqlScanner splits a text into statements, and finds the names in them.
type sqlScanner struct {
	text    string
	i       int // the next byte
	dialect Dialect
	split   bool
	known   map[string]string // values by name
	anyName bool              // names need not be known

	all     []statement
	current strings.Builder
	names   []string
	places  []int
	hasWord bool // the current statement has more than spaces and comments
	insert  insertScan
}

// parseStatements splits a text at semicolons, if split is true, and replaces
// each :name by a placeholder. It does not look into strings, quoted names and
// comments.
func parseStatements(text string, dialect Dialect, split bool, known map[string]string) ([]statement, error) {
	return (&sqlScanner{text: text, dialect: dialect, split: split, known: known}).scan()
}

func (s *sqlScanner) scan() ([]statement, error) {
	for s.i < len(s.text) {
		if err := s.readNext(); err != nil {
			return nil, err
		}
	}
	s.endStatement()
	return s.all, nil
}

// insertScan finds the [valuesGroup] of a statement.
type insertScan struct {
	group       valuesGroup
	firstWord   string
	depth       int  // of parentheses
	begun       bool // the group
	refused     bool
	afterValues bool // the token before is VALUES
	afterGroup  bool // the token before ends the group
}

// next sees a token: a word, or a character. at is where it begins.
func (x *insertScan) next(word string, c byte, at int) {
	afterValues, afterGroup := x.afterValues, x.afterGroup
	x.afterValues, x.afterGroup = false, false
	inside := x.begun && x.group.end == 0
	switch {
	case word != "":
		word = strings.ToUpper(word)
		x.firstWord = cmp.Or(x.firstWord, word)
		x.afterValues = x.depth == 0 && !x.begun && word == "VALUES"
		x.refused = x.refused || inside && word == "SELECT"
	case c == '(':
		if afterValues {
			x.begun, x.group.start = true, at
		}
		x.depth++
	case c == ')':
		if x.depth--; x.depth == 0 && inside {
			x.group.end, x.afterGroup = at+1, true
		}
	case c == ',':
		x.refused = x.refused || afterGroup // there are several rows
	}
}

// name sees a placeholder.
func (x *insertScan) name() {
	x.afterValues, x.afterGroup = false, false
	x.refused = x.refused || !x.begun || x.group.end > 0
}

// result returns the group in a text without so many bytes at its beginning.
func (x *insertScan) result(trimmed int) valuesGroup {
	if x.refused || x.group.end == 0 || x.firstWord != "INSERT" && x.firstWord != "REPLACE" {
		return valuesGroup{}
	}
	return valuesGroup{x.group.start - trimmed, x.group.end - trimmed}
}

// readNext reads the next token.
func (s *sqlScanner) readNext() error {
	rest := s.text[s.i:]
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "--"), c == '#' && s.dialect == MySQL:
		s.copyComment(strings.IndexByte(rest, '\n'), 0)
	case strings.HasPrefix(rest, "/*"):
		return s.readBlockComment(rest)
	case c == '\'', c == '"', c == '`' && s.dialect == MySQL:
		s.insert.next("", c, s.current.Len())
		return s.readQuoted(rest, c)
	case c == '$' && s.dialect == Postgres:
		s.insert.next("", c, s.current.Len())
		return s.readDollar(rest)
	case c == ':':
		return s.readName(rest)
	case c == ';' && s.split:
		s.endStatement()
		s.i++
	case isWordByte(c):
		n := 1
		for n < len(rest) && (isWordByte(rest[n]) || rest[n] == '$') {
			n++
		}
		s.insert.next(rest[:n], 0, s.current.Len())
		s.copyText(n)
	default:
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			s.hasWord = true
			s.insert.next("", c, s.current.Len())
		}
		s.current.WriteByte(c)
		s.i++
	}
	return nil
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func (s *sqlScanner) copyText(n int) {
	s.hasWord = true
	s.current.WriteString(s.text[s.i : s.i+n])
	s.i += n
}

// copyComment copies a comment that ends at a place of the rest, or with the
// text if the place is negative.
func (s *sqlScanner) copyComment(end, more int) {
	if end < 0 {
		end, more = len(s.text)-s.i, 0
	}
	s.current.WriteString(s.text[s.i : s.i+end+more])
	s.i += end + more
}

// readBlockComment reads a comment. In PostgreSQL comments can be in comments.
// A comment that MySQL runs (/*! and /*M!) counts as a statement.
func (s *sqlScanner) readBlockComment(rest string) error {
	if s.dialect == MySQL && (strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!")) {
		s.hasWord = true
	}
	depth := 0
	for n := 0; n < len(rest); n++ {
		switch {
		case strings.HasPrefix(rest[n:], "/*") && (depth == 0 || s.dialect == Postgres):
			depth++
			n++
		case strings.HasPrefix(rest[n:], "*/"):
			depth--
			n++
			if depth == 0 {
				s.copyComment(n+1, 0)
				return nil
			}
		}
	}
	return fmt.Errorf("the comment at %.20q has no end", rest)
}

// readQuoted reads a string or a quoted name. MySQL, and an E'...' of
// PostgreSQL, have backslashes in strings.
func (s *sqlScanner) readQuoted(rest string, quote byte) error {
	backslash := s.dialect == MySQL && quote != '`'
	if s.dialect == Postgres && quote == '\'' {
		before := s.current.String()
		n := len(before)
		backslash = n > 0 && (before[n-1] == 'E' || before[n-1] == 'e') && (n == 1 || !isWordByte(before[n-2]))
	}
	for n := 1; n < len(rest); n++ {
		switch {
		case backslash && rest[n] == '\\':
			n++
		case rest[n] == quote: // a doubled quote begins the next string at once
			s.copyText(n + 1)
			return nil
		}
	}
	return fmt.Errorf("the quote at %.20q has no end", rest)
}

// readDollar reads a string such as $$...$$ or $tag$...$tag$ of PostgreSQL.
func (s *sqlScanner) readDollar(rest string) error {
	n := 1
	for n < len(rest) && isWordByte(rest[n]) {
		n++
	}
	if n == len(rest) || rest[n] != '$' || n > 1 && rest[1] >= '0' && rest[1] <= '9' {
		s.copyText(n)
		return nil
	}
	tag := rest[:n+1]
	end := strings.Index(rest[len(tag):], tag)
	if end < 0 {
		return fmt.Errorf("the quote at %.20q has no end", rest)
	}
	s.copyText(end + 2*len(tag))
	return nil
}

// readName reads :name. A cast of PostgreSQL (::) and an assignment (:=) are no
// names.
func (s *sqlScanner) readName(rest string) error {
	n := 1
	for n < len(rest) && isWordByte(rest[n]) {
		n++
	}
	if n == 1 || rest[1] >= '0' && rest[1] <= '9' {
		if n == 1 && len(rest) > 1 && rest[1] == ':' {
			n = 2
		}
		s.copyText(n)
		return nil
	}
	name := rest[1:n]
	if _, ok := s.known[name]; !ok && !s.anyName {
		return fmt.Errorf("want the property bind.%s for :%[1]s", name)
	}
	s.insert.name()
	s.names, s.places = append(s.names, name), append(s.places, s.current.Len())
	s.hasWord = true
	if s.dialect == Postgres {
		fmt.Fprintf(&s.current, "$%d", len(s.names))
	} else {
		s.current.WriteByte('?')
	}
	s.i += n
	return nil
}

// endStatement ends the current statement, if it is not empty.
func (s *sqlScanner) endStatement() {
	if s.hasWord {
		text := s.current.String()
		trimmed := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
		for i := range s.places {
			s.places[i] -= trimmed
		}
		s.all = append(s.all, statement{strings.TrimSpace(text), s.names, s.places, s.insert.result(trimmed)})
	}
	s.current.Reset()
	s.names, s.places, s.hasWord, s.insert = nil, nil, false, insertScan{}
}
