package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	var b bytes.Buffer
	numbers := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n"
	drawDiff(&page{Writer: &b}, "bus", "file", numbers, strings.NewReplacer("2\n", "two\n", "9\n10\n", "10\n", "20\n", "20\nmore\n").Replace(numbers))
	drawDiff(&page{Writer: &b}, "bus", "file", numbers, numbers)
	checkGolden(t, "diff", b.String())
}

// patch(1) applies every diff.
func FuzzDiff(f *testing.F) {
	patch, err := exec.LookPath("patch")
	if err != nil {
		f.Skip("there is no patch")
	}
	f.Add("abcdefghijklmnop", "abxdefghijklmop")
	f.Add("", "a")
	f.Add("aaaaabbbbbbbbbbbbbaa", "aabbbbbbbbbbbbbbaaaa")
	f.Fuzz(func(t *testing.T, old, new string) {
		inLines := func(s string) string {
			var b strings.Builder
			for _, r := range s {
				if r >= '0' && r <= 'z' {
					b.WriteString(string(r) + "\n")
				}
			}
			return b.String()
		}
		old, new = inLines(old), inLines(new)
		var b bytes.Buffer
		if drawDiff(&page{Writer: &b}, "a", "b", old, new); b.Len() == 0 {
			if old != new {
				t.Fatalf("no difference between %q and %q", old, new)
			}
			return
		}
		file := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(patch, "-s", "-F0", file)
		cmd.Stdin = strings.NewReader(b.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, b.String())
		}
		// Patch removes a file that becomes empty.
		if got, err := os.ReadFile(file); string(got) != new && (err == nil || new != "") {
			t.Fatalf("%q, %v; want %q\n%s", got, err, new, b.String())
		}
	})
}
