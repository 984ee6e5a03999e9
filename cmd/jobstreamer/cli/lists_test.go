package cli

import (
	"fmt"
	"strings"
	"testing"
)

func TestListsAreWholeOrSayWhatIsLeft(t *testing.T) {
	e, _ := withBus(t)
	for i := range 70 {
		e.apply(t, fmt.Sprintf("j%02d", i), "Noop")
	}
	for _, c := range []struct {
		line  string
		count int
		more  string
	}{
		{"job list -o json", 70, ""}, {"job list -o yaml", 70, ""}, {"job list -o edn", 70, ""},
		{"job list -o json --limit 20", 20, "1 to 20 of 70; --limit and --offset show others\n"},
		{"job list -o edn --limit 20 --offset 11", 20, "11 to 30 of 70; --limit and --offset show others\n"},
		{"job list -o yaml --limit 20 --offset 51", 20, ""},
	} {
		got := e.try(t.Context(), strings.Fields(c.line)...)
		n := strings.Count(got.out, `restartable`)
		if got.failed != nil || n != c.count || got.err != c.more {
			t.Errorf("%s: %d jobs, %q, %v; want %d and %q", c.line, n, got.err, got.failed, c.count, c.more)
		}
	}
	if got := e.try(t.Context(), "job", "list"); !strings.HasSuffix(got.out, "\n1 to 50 of 70; --limit and --offset show others\n") || strings.Count(got.out, "\n") != 52 {
		t.Errorf("a table:\n%s", got.out)
	}
}
