package subjects

import (
	"maps"
	"slices"
	"strings"
)

// ParameterVariable returns the name of the environment variable in which a
// process gets a job parameter.
func ParameterVariable(name string) string {
	return "JOBSTREAMER_PARAM_" + strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		}
		return '_'
	}, name)
}

// CollidingParameters returns two parameter names that [ParameterVariable] maps
// to one variable: the first such pair in alphabetical order, or empty names if
// there is none.
func CollidingParameters(parameters map[string]string) (one, other string) {
	seen := make(map[string]string, len(parameters))
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		variable := ParameterVariable(name)
		if first, taken := seen[variable]; taken {
			return first, name
		}
		seen[variable] = name
	}
	return "", ""
}
