package deploy

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// WriteFolder writes a class folder as a jar to w, and says what it left out.
// The same folder gives the same bytes wherever it is packed.
func WriteFolder(ctx context.Context, w io.Writer, dir string) (warnings []string, err error) {
	return newFolderJar(ctx, w).writeFolder(dir)
}

// folderJar writes a class folder as a jar. The same folder gives the same
// bytes, so that it is stored once: entries are sorted, all have one time and
// one mode, and nothing is compressed, as the hash must not hang on a
// compressor's version.
type folderJar struct {
	ctx      context.Context
	zip      *zip.Writer
	entries  int
	left     int64 // bytes
	manifest bool  // is written
	warnings []string
}

// oldest is the first time that a jar can have.
var oldest = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	manifestDir  = "META-INF/"
	manifestName = manifestDir + "MANIFEST.MF"
	maxFiles     = 1 << 18 // of one folder
)

var errLarge = errors.New("this is more than a jar may have")

func newFolderJar(ctx context.Context, w io.Writer) *folderJar {
	j := &folderJar{ctx: ctx, zip: zip.NewWriter(w), left: maxJar}
	j.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { // stored entries of unknown size cannot be read by all of Java
		return flate.NewWriter(w, flate.NoCompression)
	})
	return j
}

// writeFolder writes all of dir, and says what it left out.
func (j *folderJar) writeFolder(dir string) (warnings []string, err error) {
	st, err := os.Stat(dir)
	if err == nil {
		err = j.writeManifest(dir)
	}
	if err == nil {
		err = j.folder(dir, "", []fs.FileInfo{st})
	}
	if err == nil {
		err = j.zip.Close()
	}
	return j.warnings, err
}

// writeManifest writes the manifest first, where streaming readers look for it.
func (j *folderJar) writeManifest(dir string) error {
	path := filepath.Join(dir, filepath.FromSlash(manifestName))
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return nil // if it is there and cannot be read, the walk will say so
	}
	j.manifest = true
	if _, err = j.entry(manifestDir); err != nil {
		return err
	}
	return j.file(path, manifestName)
}

// folder writes what is in dir. Above are the folders that lead there: a link
// back to one of them would never end.
func (j *folderJar) folder(dir, prefix string, above []fs.FileInfo) error {
	all, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	for _, e := range all {
		path, name := filepath.Join(dir, e.Name()), prefix+e.Name()
		st, err := os.Stat(path) // what a link leads to
		switch {
		case err != nil:
		case st.IsDir():
			err = j.inner(path, name+"/", st, above)
		case !st.Mode().IsRegular():
			j.warn(name, "is no file")
		case name != manifestName || !j.manifest:
			err = j.file(path, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *folderJar) inner(dir, name string, st fs.FileInfo, above []fs.FileInfo) error {
	for _, a := range above {
		if os.SameFile(a, st) {
			j.warn(name, "is a link to a folder that it is in")
			return nil
		}
	}
	if name != manifestDir || !j.manifest {
		if _, err := j.entry(name); err != nil { // frameworks that search a package need the entry of its folder
			return err
		}
	}
	return j.folder(dir, name, append(above[:len(above):len(above)], st))
}

func (j *folderJar) entry(name string) (io.Writer, error) {
	if err := j.ctx.Err(); err != nil {
		return nil, err
	}
	if j.entries++; j.entries > maxFiles {
		return nil, fmt.Errorf("%w: %d files", errLarge, maxFiles)
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: oldest}
	h.SetMode(0o644)
	if name[len(name)-1] == '/' {
		h.SetMode(fs.ModeDir | 0o755)
	}
	return j.zip.CreateHeader(h)
}

func (j *folderJar) file(path, name string) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := j.entry(name)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(f, j.left+1))
	if j.left -= n; j.left < 0 {
		return fmt.Errorf("%w: %d bytes", errLarge, maxJar)
	}
	return err
}

func (j *folderJar) warn(name, why string) {
	j.warnings = append(j.warnings, name+" "+why+": left out")
}

// openRegular opens a file that is none of those which block or never end.
func openRegular(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("it is no file")}
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}
