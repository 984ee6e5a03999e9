package cli

import (
	"fmt"
	"slices"
	"strings"
)

// diffContext is the number of unchanged lines around a change.
const diffContext = 3

// diffLine is a line of a diff: ' ' is in both texts, '-' only in the old one,
// '+' only in the new one.
type diffLine struct {
	mark     byte
	text     string
	old, new int // number of lines of each text before it
}

// compareLines compares two texts by their longest common subsequence of lines.
func compareLines(old, new []string) (all []diffLine) {
	head := 0
	for head < len(old) && head < len(new) && old[head] == new[head] {
		all = append(all, diffLine{' ', old[head], head, head})
		head++
	}
	tail := 0
	for tail < len(old)-head && tail < len(new)-head && old[len(old)-1-tail] == new[len(new)-1-tail] {
		tail++
	}
	all = append(all, compareMiddle(old[head:len(old)-tail], new[head:len(new)-tail], head)...)
	for i := tail; i > 0; i-- {
		all = append(all, diffLine{' ', old[len(old)-i], len(old) - i, len(new) - i})
	}
	return all
}

// maxCompared is the maximum size of the table. For larger texts, all lines are
// shown as changed.
const maxCompared = 16 << 20

func compareMiddle(old, new []string, at int) (all []diffLine) {
	width := len(new) + 1
	var common []int32 // number of common lines of old[i:] and new[k:], at i*width+k
	if (len(old)+1)*width <= maxCompared {
		common = make([]int32, (len(old)+1)*width)
		for i, k := range pairsBackwards(len(old), len(new)) {
			if old[i] == new[k] {
				common[i*width+k] = common[(i+1)*width+k+1] + 1
			} else {
				common[i*width+k] = max(common[(i+1)*width+k], common[i*width+k+1])
			}
		}
	}
	i, k := 0, 0
	for i < len(old) || k < len(new) {
		switch {
		case common != nil && i < len(old) && k < len(new) && old[i] == new[k]:
			all = append(all, diffLine{' ', old[i], at + i, at + k})
			i, k = i+1, k+1
		case i < len(old) && (k == len(new) || common == nil || common[(i+1)*width+k] >= common[i*width+k+1]):
			all = append(all, diffLine{'-', old[i], at + i, at + k})
			i++
		default:
			all = append(all, diffLine{'+', new[k], at + i, at + k})
			k++
		}
	}
	return all
}

// pairsBackwards yields all pairs below n and m, beginning with the last.
func pairsBackwards(n, m int) func(yield func(i, k int) bool) {
	return func(yield func(i, k int) bool) {
		for i := n - 1; i >= 0; i-- {
			for k := m - 1; k >= 0; k-- {
				if !yield(i, k) {
					return
				}
			}
		}
	}
}

// drawDiff writes the differences of two texts as a unified diff. It writes
// nothing if they are equal.
func drawDiff(p *page, oldName, newName, old, new string) {
	all := compareLines(splitLines(old), splitLines(new))
	first := slices.IndexFunc(all, isChanged)
	if first < 0 {
		return
	}
	fmt.Fprintf(p, "%s\n%s\n", p.inColor(bold, "--- "+oldName), p.inColor(bold, "+++ "+newName))
	for first >= 0 {
		begin, end := max(first-diffContext, 0), first
		for quiet := 0; end < len(all) && quiet <= 2*diffContext; end++ {
			if quiet++; isChanged(all[end]) {
				quiet = 0
			}
		}
		for end > begin && !isChanged(all[end-1]) {
			end--
		}
		next := slices.IndexFunc(all[end:], isChanged)
		drawHunk(p, all[begin:min(end+diffContext, len(all))])
		if first = next; next >= 0 {
			first += end
		}
	}
}

func isChanged(l diffLine) bool { return l.mark != ' ' }

func drawHunk(p *page, lines []diffLine) {
	var olds, news int
	for _, l := range lines {
		if l.mark != '+' {
			olds++
		}
		if l.mark != '-' {
			news++
		}
	}
	fmt.Fprintln(p, p.inColor(cyan, fmt.Sprintf("@@ -%s +%s @@", hunkRange(lines[0].old, olds), hunkRange(lines[0].new, news))))
	for _, l := range lines {
		fmt.Fprintln(p, p.inColor(map[byte]string{'-': red, '+': green}[l.mark], string(l.mark)+printable(l.text)))
	}
}

// hunkRange returns a range of lines in the syntax of diff(1). An empty range
// names the line before it.
func hunkRange(before, n int) string {
	if n > 0 {
		before++
	}
	if n == 1 {
		return fmt.Sprint(before)
	}
	return fmt.Sprintf("%d,%d", before, n)
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
