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

// location is an entry of a class path on this machine.
type location struct {
	place string // JSON pointer
	url   string // as sent
	path  string
	dir   bool
}

const wantURL = "the file URL of a jar or a class folder on the machine of the control bus, such as file:///opt/shop/classes"

// locate finds what the URLs of a class path name. All that cannot be deployed
// is in the errors.
func locate(urls []string) (all []location, wrong Errors) {
	if len(urls) > maxArtifacts {
		wrong.add("/classpath", "at most "+strconv.Itoa(maxArtifacts)+" entries", strconv.Itoa(len(urls)))
		return nil, wrong
	}
	for i, u := range urls {
		l := location{place: "/classpath/" + strconv.Itoa(i), url: u}
		var ok bool
		if l.path, ok = pathOf(u); !ok {
			wrong.add(l.place, wantURL, u)
			continue
		}
		st, err := os.Stat(l.path)
		switch {
		case err != nil:
			wrong.add(l.place, wantOf(err), l.got(err))
		case st.IsDir():
			l.dir = true
			fallthrough
		case st.Mode().IsRegular():
			all = append(all, l)
		default:
			wrong.add(l.place, "a jar or a class folder", u+", which is neither")
		}
	}
	return all, wrong
}

// pathOf takes file:///p, file:/p, file://localhost/p, where other characters
// may be percent-encoded, and an absolute path as it is.
func pathOf(s string) (string, bool) {
	if filepath.IsAbs(s) {
		return filepath.Clean(s), true
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") {
		return "", false
	}
	if u.RawQuery != "" || u.Fragment != "" { // a path with a ? or # that should have been encoded names another file
		return "", false
	}
	p := u.Path
	if runtime.GOOS == "windows" { // file:///C:/shop
		p = strings.TrimPrefix(p, "/")
	}
	return filepath.Clean(filepath.FromSlash(p)), true
}

// wantOf says what should be at a path instead of err.
func wantOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "a jar or a class folder that is there"
	case errors.Is(err, fs.ErrPermission):
		return "a jar or a class folder that the control bus may read"
	}
	return "a jar or a class folder that can be read"
}

// got is the entry with the reason; the reason names the file, which may lie
// deep in a folder.
func (l *location) got(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) && p.Path == l.path {
		err = p.Err
	}
	return l.url + ": " + legible(err.Error())
}

// name is that of the jar, in UTF-8 although a file's need not be.
func (l *location) name() string {
	if base := legible(filepath.Base(l.path)); !l.dir || strings.HasSuffix(base, ".jar") {
		return base
	} else if base == string(filepath.Separator) {
		return "root.jar"
	} else {
		return base + ".jar"
	}
}
