package classfile

import (
	"path"
	"strconv"
	"strings"
)

const (
	suffix   = ".class"
	versions = "META-INF/versions/"
)

// inner cuts off the folders from which Spring Boot and web containers load
// classes.
func inner(entry string) string {
	if name, ok := strings.CutPrefix(entry, "BOOT-INF/classes/"); ok {
		return name
	}
	return strings.TrimPrefix(entry, "WEB-INF/classes/")
}

// locate says which class lies at an entry, such as a/b/C, and in which version
// of a multi-release jar; "" where a JVM looks for no class.
func locate(entry string) (class string, version int) {
	name, ok := strings.CutSuffix(entry, suffix)
	if !ok {
		return "", 0
	}
	if name, ok = strings.CutPrefix(name, versions); ok {
		var n string
		n, name, _ = strings.Cut(name, "/")
		if version, _ = strconv.Atoi(n); version < 9 || strconv.Itoa(version) != n { // JAR file specification, "multi-release"
			return "", 0
		}
	} else {
		name = inner(name)
	}
	base := path.Base(name)
	if base == "module-info" || base == "package-info" || strings.HasPrefix(name, "META-INF/") {
		return "", 0
	}
	return name, version
}

func isArchive(entry string) bool {
	if strings.HasPrefix(entry, "META-INF/") {
		return false
	}
	switch path.Ext(entry) {
	case ".jar", ".war", ".zip":
		return true
	}
	return false
}

// sameName compares a name of a class file with that of a zip: they write
// characters beyond U+FFFF in different ways.
func sameName(inClass []byte, inZip string) bool {
	if string(inClass) == inZip {
		return true
	}
	s, ok := decode(inClass)
	return ok && s == inZip
}

// javaName turns a/b/C$D of a class file into a.b.C$D.
func javaName(inClass string) string {
	s, _ := decode([]byte(inClass))
	return strings.ReplaceAll(s, "/", ".")
}
