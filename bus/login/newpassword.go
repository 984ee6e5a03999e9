package login

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// common.txt has the words of passwords that attackers try first, in lower
// case, without digits added.
//
//go:embed common.txt
var commonWords string

var commonPasswords = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(commonWords) {
		all[word] = true
	}
	return all
})

// CheckNewPassword returns a [bus.FieldError] that does not contain the
// password, if a user may not choose it. Passwords that are in use already stay
// valid.
func CheckNewPassword(id, password string) error {
	want := ""
	switch lower := strings.ToLower(password); {
	case utf8.RuneCountInString(password) < MinPassword:
		want = fmt.Sprintf("at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		want = fmt.Sprintf("at most %d bytes", MaxPassword)
	case lower == strings.ToLower(id), wordOf(lower) != "" && wordOf(lower) == wordOf(strings.ToLower(id)):
		want = "a password other than the user's id, which attackers try first"
	case isCommon(lower):
		want = "a password that is not among the most common ones, which attackers try first; adding digits does not help, several words do"
	default:
		return nil
	}
	return &bus.FieldError{Path: "/password", Want: want}
}

// isCommon reports whether a password in lower case is a common one, with
// digits and other signs around it or without, or has fewer than four different
// characters.
func isCommon(lower string) bool {
	different := map[rune]bool{}
	for _, r := range lower {
		different[r] = true
	}
	return len(different) < 4 || commonPasswords()[lower] || commonPasswords()[wordOf(lower)]
}

// wordOf returns a password without the signs before and after its letters.
func wordOf(lower string) string {
	return strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
}
