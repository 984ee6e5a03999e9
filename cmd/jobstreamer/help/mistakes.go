package help

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// NoCommand says that there is no such command below cmd, nil if none was
// named.
func NoCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2 // letters that may differ
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		best := slices.MinFunc(near, func(a, b string) int { return Distance(a, args[0]) - Distance(b, args[0]) })
		err = fmt.Errorf("%w; did you mean %s?", err, best)
	}
	return err
}

// Distance is how many letters differ, after Levenshtein.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
