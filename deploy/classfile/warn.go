package classfile

import (
	"fmt"
	"strings"
	"unicode"
)

// warnings collects what is to be said, but not 100,000 times.
type warnings struct {
	all  []Warning
	jar  string // the one that is being read
	said int    // of it
	more int    // of it, that were not said
	over int    // so many beyond maxAll may be said, for what is about the class path as a whole
}

// add notes a warning. All of one jar come together.
func (w *warnings) add(jar, entry string, reason any) {
	if jar != w.jar {
		w.flush()
		w.jar = jar
	}
	if !w.room(jar) {
		w.more++
		return
	}
	w.said++
	w.all = append(w.all, Warning{Jar: shown(jar), Entry: shown(entry), Reason: shown(fmt.Sprint(reason))})
}

// room says whether one more warning about a jar would be kept.
func (w *warnings) room(jar string) bool {
	return len(w.all) < maxAll+w.over && (jar != w.jar || w.said < maxWarnings)
}

// flush says how many were not said of the jar.
func (w *warnings) flush() {
	if w.more > 0 && len(w.all) <= maxAll+w.over {
		w.all = append(w.all, Warning{Jar: shown(w.jar), Reason: fmt.Sprintf("%d more like these", w.more)})
	}
	w.jar, w.said, w.more = "", 0, 0
}

// shown makes a name of a stranger fit for a terminal.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "..."
	}
	return s
}
