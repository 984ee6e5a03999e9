package help

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// NoCommand returns an error for an unknown command below cmd, with
// suggestions, or nil if there are no arguments.
func NoCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2 // maximum number of different characters
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		best := slices.MinFunc(near, func(a, b string) int { return Distance(a, args[0]) - Distance(b, args[0]) })
		err = fmt.Errorf("%w; did you mean %s?", err, best)
	}
	return err
}

// Distance returns the Levenshtein distance of two words.
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
