package child

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	for _, test := range []struct {
		name, stat string
		want       childProcess
		parent     int
		ok         bool
	}{
		{"a shell", "12 (sh) S 3 12 4 0 -1", childProcess{0, 12, "sh"}, 3, true},
		{"a name with brackets", "12 (a) S 1 (b) R 34 56 4", childProcess{0, 56, "a) S 1 (b"}, 34, true},
		{"a line break in a name", "12 (a\nb) D 34 56 4", childProcess{0, 56, "a?b"}, 34, true},
		{"one that has ended", "12 (sh) Z 3 12 4", childProcess{}, 0, false},
		{"nothing", "", childProcess{}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, parent, ok := parseStat([]byte(test.stat))
			if ok != test.ok || ok && (got != test.want || parent != test.parent) {
				t.Errorf("parseStat(%q) = %+v, %d, %v, want %+v, %d, %v", test.stat, got, parent, ok, test.want, test.parent, test.ok)
			}
		})
	}
}

// Each import delays the start of supervisors until all packages whose names
// come before it are initialised.
func TestWhatASupervisorImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports " "}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Fields(string(out)), []string{"os", "os/signal", "sync", "syscall", "time", "unsafe"}; !slices.Equal(got, want) {
		t.Errorf("the imports are %v, want %v", got, want)
	}
}
