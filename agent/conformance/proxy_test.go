package conformance

import (
	"bufio"
	"strings"
	"testing"
)

func TestReadFrame(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{ // verb subject reply payload
		{"a message", "PUB a.b 2\r\nhi\r\n", "PUB a.b  hi"},
		{"one that asks", "PUB a.b in.box 2\r\nhi\r\n", "PUB a.b in.box hi"},
		{"one with headers", "HMSG a 1 in.box 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HMSG a in.box hi"},
		{"a line", "PING\r\n", "PING   "},
		{"a negative size", "PUB a -5\r\n", ""},
		{"negative headers", "HPUB a -1 2\r\nhi\r\n", ""},
		{"more headers than message", "HPUB a 9 2\r\nhi\r\n", ""},
		{"a message cut off", "PUB a 9\r\nhi\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := readFrame(bufio.NewReader(strings.NewReader(c.text)))
			if (err != nil) != (c.want == "") {
				t.Fatalf("readFrame(%q): %v", c.text, err)
			}
			if got := strings.Join([]string{f.verb, f.subject, f.reply, string(f.payload)}, " "); err == nil && (got != c.want || string(f.raw) != c.text) {
				t.Errorf("readFrame(%q) = %q, raw %q, want %q", c.text, got, f.raw, c.want)
			}
		})
	}
}
