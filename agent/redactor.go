package agent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// mask stands for a secret in what an agent publishes.
const mask = "***"

const (
	// minMasked is the minimum length of a text that is replaced, in characters.
	// Shorter ones occur by accident in almost every line.
	minMasked = 4
	// minRefused is the minimum length of a text that data for a restart must not
	// hold. It is greater, since a checkpoint such as 1234567 holds a secret 1234
	// by accident, and the step would fail.
	minRefused = 8
)

// redactor replaces secrets in texts.
type redactor struct {
	texts   []string // that are replaced
	longest int      // of texts, in bytes
	refused []refusedText
}

// refusedText is a secret, or a line of one, as JSON has it within a string.
type refusedText struct {
	name string // of the secret
	form []byte
}

// newRedactor returns a redactor of secrets by name, or nil if there is nothing
// to replace. Output comes in lines, so each line of a secret is one more text.
// White space around a text does not count: output is often without it.
func newRedactor(application, agent map[string]string) *redactor {
	r := &redactor{}
	for name, value := range both(application, agent) {
		for _, text := range append(strings.Split(value, "\n"), value) {
			text = strings.TrimSpace(text)
			length := utf8.RuneCountInString(text)
			if length < minMasked {
				continue
			}
			if !slices.Contains(r.texts, text) {
				r.texts = append(r.texts, text)
				r.longest = max(r.longest, len(text))
			}
			if length >= minRefused {
				r.refused = append(r.refused, refusedText{name, jsonForm(text, true)}, refusedText{name, jsonForm(text, false)})
			}
		}
	}
	if len(r.texts) == 0 {
		return nil
	}
	return r
}

// both yields the members of two maps.
func both(a, b map[string]string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, m := range []map[string]string{a, b} {
			for name, value := range m {
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// jsonForm returns a text as it is within a string of JSON.
func jsonForm(text string, escapeHTML bool) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(escapeHTML)
	_ = e.Encode(text) // a string: cannot fail
	quoted := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return quoted[1 : len(quoted)-1]
}

// span is a part of a text, in bytes.
type span struct{ from, to int }

// spans returns where secrets are in a text, in order. Secrets that overlap, or
// of which one holds the other, are one span.
func (r *redactor) spans(text string) []span {
	var all []span
	for _, secret := range r.texts {
		for from := 0; ; from++ { // the next one may overlap this one
			i := strings.Index(text[from:], secret)
			if i < 0 {
				break
			}
			from += i
			all = append(all, span{from, from + len(secret)})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && s.from < merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
		} else {
			merged = append(merged, s)
		}
	}
	return merged
}

// redact replaces the secrets in a text. A nil redactor replaces nothing.
func (r *redactor) redact(text string) string {
	if r == nil {
		return text
	}
	all := r.spans(text)
	if len(all) == 0 {
		return text
	}
	var b strings.Builder
	done := 0
	for _, s := range all {
		b.WriteString(text[done:s.from])
		b.WriteString(mask)
		done = s.to
	}
	b.WriteString(text[done:])
	return b.String()
}

// hold returns how many bytes must follow a cut, so that the secrets around it
// are known.
func (r *redactor) hold() int {
	if r == nil {
		return 0
	}
	return r.longest
}

// cut returns where to cut a text that is cut at n otherwise: not within a
// secret. At least hold bytes follow n.
func (r *redactor) cut(text string, n int) int {
	for _, s := range r.spans(text) {
		if s.from < n && n < s.to {
			if s.from > 0 {
				return s.from
			}
			return s.to
		}
	}
	return n
}

// find returns the name of a secret that data for a restart holds, or an empty
// text.
func (r *redactor) find(data json.RawMessage) string {
	if r == nil || len(data) == 0 {
		return ""
	}
	for _, one := range r.refused {
		if bytes.Contains(data, one.form) {
			return one.name
		}
	}
	return ""
}
