package classfile

import (
	"path"
	"strconv"
	"strings"
)

const (
	classSuffix = ".class"
	versionsDir = "META-INF/versions/"
)

// withoutPrefix cuts off the folders from which Spring Boot and web containers
// load classes.
func withoutPrefix(entry string) string {
	if name, ok := strings.CutPrefix(entry, "BOOT-INF/classes/"); ok {
		return name
	}
	return strings.TrimPrefix(entry, "WEB-INF/classes/")
}

// classAt returns the class of an entry, such as a/b/C, and its version in a
// multi-release jar. It returns "" if a JVM finds no class there.
func classAt(entry string) (class string, version int) {
	name, ok := strings.CutSuffix(entry, classSuffix)
	if !ok {
		return "", 0
	}
	if name, ok = strings.CutPrefix(name, versionsDir); ok {
		var n string
		n, name, _ = strings.Cut(name, "/")
		// JAR file specification, "multi-release".
		if version, _ = strconv.Atoi(n); version < 9 || strconv.Itoa(version) != n {
			return "", 0
		}
	} else {
		name = withoutPrefix(name)
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

// sameName reports whether a name in a class file equals a name in a zip. The
// two formats encode characters beyond U+FFFF differently.
func sameName(inClass []byte, inZip string) bool {
	if string(inClass) == inZip {
		return true
	}
	s, ok := decodeUTF8(inClass)
	return ok && s == inZip
}

// javaName converts a/b/C$D, as in a class file, to a.b.C$D.
func javaName(inClass string) string {
	s, _ := decodeUTF8([]byte(inClass))
	return strings.ReplaceAll(s, "/", ".")
}
