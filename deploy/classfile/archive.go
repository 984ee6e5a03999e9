package classfile

import (
	"errors"
	"fmt"
	"strings"
)

// jarScan is the state of reading one jar.
type jarScan struct {
	*scanner
	zip   *zipFile
	name  string
	depth int
	left  *budget

	multi  bool           // the manifest says Multi-Release
	newest map[string]int // newest suitable version of each versioned class
	xml    []zipEntry
	nested []zipEntry
	kept   int // bytes
}

// readDirectory reads the directory once, for the entries that must be known
// before the classes are read. It reports whether the directory was readable.
func (a *jarScan) readDirectory() bool {
	for e, err := range a.zip.entries() {
		if err == nil && !a.left.trySpend(entryCost+int64(len(e.name))) {
			err = errTooMuch
		}
		if err != nil {
			a.warn.addWarning(a.name, "", err)
			return false
		}
		if a.ctx.Err() != nil {
			return false
		}
		if a.kept < maxKept {
			a.keepEntry(e)
		}
	}
	if a.kept >= maxKept {
		a.warn.addWarning(a.name, "", "contains too many nested jars and class versions: the rest are skipped")
	}
	return true
}

func (a *jarScan) keepEntry(e zipEntry) {
	name := withoutPrefix(e.name)
	switch {
	case e.name == "META-INF/MANIFEST.MF":
		a.readManifest(e)
	case name == "META-INF/batch.xml":
		a.xml, a.kept = append(a.xml, e), a.kept+100
	case isArchive(e.name):
		a.nested, a.kept = append(a.nested, e), a.kept+100+len(e.name)
	default:
		if class, version := classAt(e.name); version > 0 && version <= a.java {
			a.newest[class] = max(a.newest[class], version)
			a.kept += 100 + len(e.name)
		}
	}
}

func (a *jarScan) readManifest(e zipEntry) {
	b, err := a.unpack.unpackHead(a.zip, e, min(e.unpacked, maxHead), a.left)
	if err != nil {
		a.warn.addWarning(a.name, e.name, err)
		return
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return // the sections that follow describe single entries
		}
		a.multi = a.multi || strings.EqualFold(strings.ReplaceAll(line, ": ", ":"), "Multi-Release:true")
	}
}

func (a *jarScan) readClasses() {
	origin := len(a.index.origins)
	a.index.origins = append(a.index.origins, a.name)
	for e, err := range a.zip.entries() {
		if err != nil {
			return // readDirectory has warned, unless the jar changed since
		}
		if a.ctx.Err() != nil || a.isFull() {
			return
		}
		if class, version := classAt(e.name); class != "" && a.isLoaded(class, version) {
			a.readClass(e, class, origin)
		}
	}
}

// isFull reports whether the index is full. The first time it adds a warning.
func (a *jarScan) isFull() bool {
	if a.index.isFull() && !a.stopped {
		a.stopped = true
		a.warn.addWarning(a.name, "", "is read only in part: the class path has too many classes")
	}
	return a.stopped
}

// isLoaded reports whether a JVM would load this version of a class.
func (a *jarScan) isLoaded(class string, version int) bool {
	if !a.multi {
		return version == 0
	}
	return version == a.newest[class]
}

func (a *jarScan) readClass(e zipEntry, name string, origin int) {
	b, err := a.unpack.unpackEntry(a.zip, e, maxClass, a.left)
	if err != nil {
		a.warn.addWarning(a.name, e.name, err)
		return
	}
	c, err := a.parser.parseClass(b)
	switch {
	case err != nil:
		a.warn.addWarning(a.name, e.name, err)
	case c.access&accModule != 0 || strings.HasPrefix(string(c.name), "java/"):
		// Only the platform may define those.
	case !sameName(c.name, name):
		a.warn.addWarning(a.name, e.name, "cannot be found by a JVM: it defines the class "+javaName(string(c.name)))
	default:
		a.index.addClass(c, origin)
	}
}

func (a *jarScan) readRefs() {
	for _, e := range a.xml {
		if a.refs != nil {
			a.warn.addWarning(a.name, e.name, "is skipped: a runtime uses only the first batch.xml, that of "+a.refs.jar)
			continue
		}
		b, err := a.unpack.unpackEntry(a.zip, e, maxXML, a.left)
		var r batchRefs
		if err == nil {
			r, err = parseRefs(b)
		}
		if err != nil {
			a.warn.addWarning(a.name, e.name, err)
		}
		r.jar, r.entry = a.name, e.name
		a.refs = &r
	}
}

func (a *jarScan) readNested() {
	for _, e := range a.nested {
		if a.ctx.Err() != nil || a.failed != nil || a.isFull() {
			return
		}
		if a.depth == maxDepth {
			a.warn.addWarning(a.name, e.name, fmt.Sprintf("is skipped: it is nested more than %d levels deep", maxDepth))
			continue
		}
		r, release, err := a.zip.openNested(e, a.left, a.temp)
		if disk := (*diskError)(nil); errors.As(err, &disk) {
			a.failed = fmt.Errorf("unpack %s!/%s: %w", printable(a.name), printable(e.name), err)
			return
		}
		if err != nil {
			a.warn.addWarning(a.name, e.name, err)
			continue
		}
		a.scanArchive(a.name+"!/"+e.name, r, e.unpacked, a.depth+1, a.left)
		release()
	}
}
