package classfile

import (
	"errors"
	"fmt"
	"strings"
)

// archive is a jar that is being read.
type archive struct {
	*scanner
	zip   *zipFile
	name  string
	depth int
	left  *budget

	multi  bool           // its manifest says Multi-Release
	newest map[string]int // the version of each class that has versions
	xml    []entry
	nested []entry
	kept   int // bytes
}

// survey walks through the directory once, for what must be known before the
// classes are read. It says whether the directory could be read.
func (a *archive) survey() bool {
	for e, err := range a.zip.entries() {
		if err == nil && !a.left.take(entryCost+int64(len(e.name))) {
			err = errTooMuch
		}
		if err != nil {
			a.warn.add(a.name, "", err)
			return false
		}
		if a.ctx.Err() != nil {
			return false
		}
		if a.kept < maxKept {
			a.note(e)
		}
	}
	if a.kept >= maxKept {
		a.warn.add(a.name, "", "has too many jars and versions in it: not all are read")
	}
	return true
}

func (a *archive) note(e entry) {
	name := inner(e.name)
	switch {
	case e.name == "META-INF/MANIFEST.MF":
		a.readManifest(e)
	case name == "META-INF/batch.xml":
		a.xml, a.kept = append(a.xml, e), a.kept+100
	case isArchive(e.name):
		a.nested, a.kept = append(a.nested, e), a.kept+100+len(e.name)
	default:
		if class, version := locate(e.name); version > 0 && version <= a.java {
			a.newest[class] = max(a.newest[class], version)
			a.kept += 100 + len(e.name)
		}
	}
}

func (a *archive) readManifest(e entry) {
	b, err := a.unpack.head(a.zip, e, min(e.unpacked, maxHead), a.left)
	if err != nil {
		a.warn.add(a.name, e.name, err)
		return
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return // what follows is about single entries
		}
		a.multi = a.multi || strings.EqualFold(strings.ReplaceAll(line, ": ", ":"), "Multi-Release:true")
	}
}

func (a *archive) readClasses() {
	origin := len(a.index.origins)
	a.index.origins = append(a.index.origins, a.name)
	for e, err := range a.zip.entries() {
		if err != nil {
			return // the survey told of it, unless the jar was changed since
		}
		if a.ctx.Err() != nil || a.isFull() {
			return
		}
		if class, version := locate(e.name); class != "" && a.wanted(class, version) {
			a.readClass(e, class, origin)
		}
	}
}

// isFull says once that no more classes are taken.
func (a *archive) isFull() bool {
	if a.index.full() && !a.stopped {
		a.stopped = true
		a.warn.add(a.name, "", "is not read to its end: the class path has too many classes")
	}
	return a.stopped
}

// wanted says whether a JVM would take this version of a class.
func (a *archive) wanted(class string, version int) bool {
	if !a.multi {
		return version == 0
	}
	return version == a.newest[class]
}

func (a *archive) readClass(e entry, name string, origin int) {
	b, err := a.unpack.read(a.zip, e, maxClass, a.left)
	if err != nil {
		a.warn.add(a.name, e.name, err)
		return
	}
	c, err := a.parser.parse(b)
	switch {
	case err != nil:
		a.warn.add(a.name, e.name, err)
	case c.access&accModule != 0 || strings.HasPrefix(string(c.name), "java/"): // only the platform has those
	case !sameName(c.name, name):
		a.warn.add(a.name, e.name, "is not found by a JVM: it is the class "+javaName(string(c.name)))
	default:
		a.index.add(c, origin)
	}
}

func (a *archive) readRefs() {
	for _, e := range a.xml {
		if a.refs != nil {
			a.warn.add(a.name, e.name, "is not read: a runtime takes the first one, of "+a.refs.jar)
			continue
		}
		b, err := a.unpack.read(a.zip, e, maxXML, a.left)
		var r refs
		if err == nil {
			r, err = parseRefs(b)
		}
		if err != nil {
			a.warn.add(a.name, e.name, err)
		}
		r.jar, r.entry = a.name, e.name
		a.refs = &r
	}
}

func (a *archive) readNested() {
	for _, e := range a.nested {
		if a.ctx.Err() != nil || a.failed != nil || a.isFull() {
			return
		}
		if a.depth == maxDepth {
			a.warn.add(a.name, e.name, fmt.Sprintf("is not read: it is nested deeper than %d", maxDepth))
			continue
		}
		r, release, err := a.zip.nested(e, a.left, a.temp)
		if disk := (*diskError)(nil); errors.As(err, &disk) {
			a.failed = fmt.Errorf("unpack %s!/%s: %w", shown(a.name), shown(e.name), err)
			return
		}
		if err != nil {
			a.warn.add(a.name, e.name, err)
			continue
		}
		a.archive(a.name+"!/"+e.name, r, e.unpacked, a.depth+1, a.left)
		release()
	}
}
