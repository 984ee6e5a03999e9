package deploy

import (
	"cmp"
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
	dir     bool   // set once it is open
	root    string // configured folder above path; empty if there is none
}

const wantURL = "the file URL of a jar or a class folder on the machine of the control bus, such as file:///opt/shop/classes"

// locateEntry returns the place that entry i of a class path names. If the URL
// is malformed, ok is false.
func (d *Deployer) locateEntry(i int, u string) (l location, ok bool) {
	l = location{pointer: "/classpath/" + strconv.Itoa(i), url: u}
	l.path, ok = pathOf(u)
	l.root = d.rootAbove(l.path)
	return l, ok
}

// rootAbove returns the folder of [Config.Roots] that a path names or lies in,
// by name alone.
func (d *Deployer) rootAbove(path string) string {
	for _, root := range d.roots {
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return root
		}
	}
	return ""
}

// OutsideError is the error of a class path entry that is not below one of the
// folders of [Config.Roots].
type OutsideError struct {
	URL   string
	Roots []string
}

func (e *OutsideError) Error() string {
	if len(e.Roots) == 0 {
		return e.URL + " is on the machine of the control bus"
	}
	return e.URL + " is not below " + strings.Join(e.Roots, " or ")
}

// CheckRoots returns an [OutsideError] if an entry of a class path is not below
// one of the folders of [Config.Roots]. It looks at no file, so it does not
// tell which files exist. [Deployer.DeployPath] follows no link out of these
// folders.
func (d *Deployer) CheckRoots(urls []string) error {
	for _, u := range urls {
		if path, ok := pathOf(u); ok && d.rootAbove(path) == "" {
			return &OutsideError{toValidUTF8(u), d.roots}
		}
	}
	return nil
}

// open returns the source of an entry, and its name there.
func (l *location) open() (from source, name string, done func() error, err error) {
	if l.root == "" {
		return everywhere{}, l.path, func() error { return nil }, nil
	}
	if name, err = filepath.Rel(l.root, l.path); err != nil {
		return nil, "", nil, err
	}
	r, err := os.OpenRoot(l.root)
	if err != nil {
		return nil, "", nil, err
	}
	return r, name, r.Close, nil
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
	return "a readable jar or class folder, without links that lead out of it"
}

// withReason returns the URL and the error. The error names the file, which may
// lie deep in a folder, unless it is the entry itself.
func (l *location) withReason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		within := cmp.Or(l.root, l.path)
		if l.dir {
			within = l.path
		}
		if !filepath.IsAbs(p.Path) { // as an [os.Root] names it
			p = &fs.PathError{Op: "open", Path: filepath.Join(within, p.Path), Err: p.Err}
			err = p
		}
		if p.Path == l.path {
			err = p.Err
		}
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
