package deploy

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// location is a class path entry on the machine of the bus.
type location struct {
	pointer string // JSON pointer
	url     string // as sent
	path    string
	dir     bool
}

const wantURL = "the file URL of a jar or a class folder on the machine of the control bus, such as file:///opt/shop/classes"

// locateEntries returns the files and folders that the URLs of a class path
// name, and an error for each entry that cannot be deployed.
func locateEntries(urls []string) (all []location, wrong Errors) {
	if len(urls) > maxArtifacts {
		wrong.addFault("/classpath", "at most "+strconv.Itoa(maxArtifacts)+" entries", strconv.Itoa(len(urls)))
		return nil, wrong
	}
	for i, u := range urls {
		l := location{pointer: "/classpath/" + strconv.Itoa(i), url: u}
		var ok bool
		if l.path, ok = pathOf(u); !ok {
			wrong.addFault(l.pointer, wantURL, u)
			continue
		}
		st, err := os.Stat(l.path)
		switch {
		case err != nil:
			wrong.addFault(l.pointer, wantAtPath(err), l.withReason(err))
		case st.IsDir():
			l.dir = true
			fallthrough
		case st.Mode().IsRegular():
			all = append(all, l)
		default:
			wrong.addFault(l.pointer, "a jar or a class folder", u+", which is neither")
		}
	}
	return all, wrong
}

// pathOf returns the path of a file URL or an absolute path. It accepts
// file:///p, file:/p and file://localhost/p with percent-encoded characters; an
// absolute path is not decoded.
func pathOf(s string) (string, bool) {
	if filepath.IsAbs(s) {
		return filepath.Clean(s), true
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") {
		return "", false
	}
	if u.RawQuery != "" || u.Fragment != "" { // the caller did not encode a ? or # of the path
		return "", false
	}
	p := u.Path
	if runtime.GOOS == "windows" { // file:///C:/shop
		p = strings.TrimPrefix(p, "/")
	}
	return filepath.Clean(filepath.FromSlash(p)), true
}

// wantAtPath says what a path must hold, given the error from reading it.
func wantAtPath(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "an existing jar or class folder"
	case errors.Is(err, fs.ErrPermission):
		return "a jar or a class folder that the control bus is allowed to read"
	}
	return "a readable jar or class folder"
}

// withReason returns the URL and the error. The error names the file, which may
// lie deep in a folder, unless it is the entry itself.
func (l *location) withReason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) && p.Path == l.path {
		err = p.Err
	}
	return l.url + ": " + toValidUTF8(err.Error())
}

// jarName returns the name of the entry's jar, in valid UTF-8.
func (l *location) jarName() string {
	if base := toValidUTF8(filepath.Base(l.path)); !l.dir || strings.HasSuffix(base, ".jar") {
		return base
	} else if base == string(filepath.Separator) {
		return "root.jar"
	} else {
		return base + ".jar"
	}
}
