package classfile

import (
	"fmt"
	"strings"
	"unicode"
)

// warningList collects warnings, up to a limit for each jar and for all.
type warningList struct {
	all     []Warning
	jar     string // the jar being read
	kept    int    // warnings of it that were kept
	dropped int    // warnings of it that were dropped
	extra   int    // added to maxAll for warnings about the class path as a whole
}

// addWarning adds a warning, unless a limit is reached. The caller adds all
// warnings of one jar before those of the next.
func (w *warningList) addWarning(jar, entry string, reason any) {
	if jar != w.jar {
		w.endJar()
		w.jar = jar
	}
	if !w.hasRoom(jar) {
		w.dropped++
		return
	}
	w.kept++
	w.all = append(w.all, Warning{Jar: printable(jar), Entry: printable(entry), Reason: printable(fmt.Sprint(reason))})
}

// hasRoom reports whether one more warning about a jar would be kept.
func (w *warningList) hasRoom(jar string) bool {
	return len(w.all) < maxAll+w.extra && (jar != w.jar || w.kept < maxWarnings)
}

// endJar adds a warning with the number of dropped warnings of the jar.
func (w *warningList) endJar() {
	if w.dropped > 0 && len(w.all) <= maxAll+w.extra {
		w.all = append(w.all, Warning{Jar: printable(w.jar), Reason: fmt.Sprintf("%d more warnings", w.dropped)})
	}
	w.jar, w.kept, w.dropped = "", 0, 0
}

// printable makes an untrusted name safe for a terminal.
func printable(s string) string {
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
