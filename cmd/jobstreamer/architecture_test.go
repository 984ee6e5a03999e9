package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/job-streamer/job-streamer-control-bus/"

// room is a package of this module in the output of go list. Its name is its
// folder.
type room struct {
	name      string
	rooms     []string // the rooms that it imports
	libraries []string // the packages of other modules that it imports
}

// TestArchitecture compares the two tables of docs/architecture.md with the
// imports of the code, in both directions.
func TestArchitecture(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	arrows, order := readTable(page, "| room |")
	owners, _ := readTable(page, "| library |")
	rooms := listRooms(t)
	for _, r := range rooms {
		checkArrows(t, r, arrows, order)
	}
	for name := range arrows {
		if !slices.ContainsFunc(rooms, func(r room) bool { return r.name == name }) {
			t.Errorf("docs/architecture.md has a row %s, and there is no such package", name)
		}
	}
	for library, allowed := range owners {
		checkLibrary(t, rooms, library, allowed)
	}
}

// checkArrows compares the imports of a room with its row. Rows stand in the
// order of their arrows: a room may only import rooms of earlier rows.
func checkArrows(t *testing.T, r room, arrows map[string][]string, order []string) {
	t.Helper()
	allowed, found := arrows[r.name]
	switch {
	case !found:
		t.Errorf("docs/architecture.md has no row %s", r.name)
		return
	case slices.Equal(allowed, []string{"any"}):
		return
	}
	for _, to := range r.rooms {
		if !slices.Contains(allowed, to) {
			t.Errorf("%s imports %s, which its row in docs/architecture.md does not name", r.name, to)
		}
	}
	for _, to := range allowed {
		if !slices.Contains(r.rooms, to) {
			t.Errorf("docs/architecture.md says that %s imports %s; it does not", r.name, to)
		}
		if slices.Index(order, to) > slices.Index(order, r.name) {
			t.Errorf("in docs/architecture.md the row %s stands below %s, which imports it", to, r.name)
		}
	}
}

// checkLibrary compares the rooms that use a library with its row. A library
// that is not a module path stands for rooms that use Go's own library only.
func checkLibrary(t *testing.T, rooms []room, library string, allowed []string) {
	t.Helper()
	for _, r := range rooms {
		uses := slices.ContainsFunc(r.libraries, func(p string) bool { return p == library || strings.HasPrefix(p, library+"/") })
		named := slices.Contains(allowed, r.name)
		switch {
		case !strings.Contains(library, "/"):
			if named && len(r.libraries) > 0 {
				t.Errorf("docs/architecture.md says that %s uses Go's own library only; it imports %q", r.name, r.libraries)
			}
		case uses && !named:
			t.Errorf("%s imports %s, which docs/architecture.md leaves to %q", r.name, library, allowed)
		case named && !uses:
			t.Errorf("docs/architecture.md says that %s uses %s; it does not", r.name, library)
		}
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")

// readTable returns the quoted names in the last column of each row by the name
// in its first column, and the names of the first column in order.
func readTable(page []byte, head string) (rows map[string][]string, order []string) {
	rows = map[string][]string{}
	_, table, _ := bytes.Cut(page, []byte(head))
	lines := bufio.NewScanner(bytes.NewReader(table))
	for lines.Scan(); lines.Scan(); { // skip the head
		cells := strings.Split(lines.Text(), "|")
		if len(cells) < 4 {
			break
		}
		name, last := strings.Trim(cells[1], " `"), strings.TrimSpace(cells[len(cells)-2])
		if strings.HasPrefix(name, "--") {
			continue
		}
		rows[name] = nil
		if last == "any" {
			rows[name] = []string{last}
		}
		for _, m := range quoted.FindAllStringSubmatch(last, -1) {
			rows[name] = append(rows[name], m[1])
		}
		order = append(order, name)
	}
	return rows, order
}

func listRooms(t *testing.T) (rooms []room) {
	t.Helper()
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		r := room{name: strings.TrimPrefix(words[0], module)}
		for _, to := range words[1:] {
			host, _, _ := strings.Cut(to, "/")
			if own, ok := strings.CutPrefix(to, module); ok {
				r.rooms = append(r.rooms, own)
			} else if strings.Contains(host, ".") {
				r.libraries = append(r.libraries, to)
			}
		}
		rooms = append(rooms, r)
	}
	if len(rooms) < 20 {
		t.Fatalf("go list found %d packages", len(rooms))
	}
	return rooms
}
