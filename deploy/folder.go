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

// WriteFolder writes a class folder to w as a jar. Each warning names a file
// that it left out. The same folder always gives the same bytes.
func WriteFolder(ctx context.Context, w io.Writer, dir string) (warnings []string, err error) {
	return newFolderJar(ctx, w).writeFolder(dir)
}

// folderJar writes a class folder as a jar. The same folder gives the same
// bytes, so that it is stored once: entries are sorted, all have the same time
// and mode, and nothing is compressed, because the output of a compressor may
// change with its version.
type folderJar struct {
	ctx      context.Context
	zip      *zip.Writer
	entries  int
	left     int64 // bytes
	manifest bool  // already written
	warnings []string
}

// oldest is the earliest time that a jar entry can have.
var oldest = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	manifestDir  = "META-INF/"
	manifestName = manifestDir + "MANIFEST.MF"
	maxFiles     = 1 << 18 // of one folder
)

var errLarge = errors.New("over the limit of a jar")

func newFolderJar(ctx context.Context, w io.Writer) *folderJar {
	j := &folderJar{ctx: ctx, zip: zip.NewWriter(w), left: maxJar}
	// Deflate without compression: some Java APIs cannot read stored entries
	// whose size follows the data.
	j.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.NoCompression)
	})
	return j
}

// writeFolder writes all of dir. Each warning names a file that it left out.
func (j *folderJar) writeFolder(dir string) (warnings []string, err error) {
	st, err := os.Stat(dir)
	if err == nil {
		err = j.writeManifest(dir)
	}
	if err == nil {
		err = j.addFolder(dir, "", []fs.FileInfo{st})
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
		return nil // if it exists but cannot be read, the walk returns the error
	}
	j.manifest = true
	if _, err = j.createEntry(manifestDir); err != nil {
		return err
	}
	return j.addFile(path, manifestName)
}

// addFolder writes the content of dir. Above holds the folders on the path to
// dir: following a link back to one of them would never end.
func (j *folderJar) addFolder(dir, prefix string, above []fs.FileInfo) error {
	all, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	for _, e := range all {
		path, name := filepath.Join(dir, e.Name()), prefix+e.Name()
		st, err := os.Stat(path) // follows links
		switch {
		case err != nil:
		case st.IsDir():
			err = j.addSubfolder(path, name+"/", st, above)
		case !st.Mode().IsRegular():
			j.warnSkipped(name, "it is not a regular file")
		case name != manifestName || !j.manifest:
			err = j.addFile(path, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *folderJar) addSubfolder(dir, name string, st fs.FileInfo, above []fs.FileInfo) error {
	for _, a := range above {
		if os.SameFile(a, st) {
			j.warnSkipped(name, "it is a link to a folder that contains it")
			return nil
		}
	}
	if name != manifestDir || !j.manifest {
		// Frameworks that search a package need the entry of its folder.
		if _, err := j.createEntry(name); err != nil {
			return err
		}
	}
	return j.addFolder(dir, name, append(above[:len(above):len(above)], st))
}

func (j *folderJar) createEntry(name string) (io.Writer, error) {
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

func (j *folderJar) addFile(path, name string) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := j.createEntry(name)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(f, j.left+1))
	if j.left -= n; j.left < 0 {
		return fmt.Errorf("%w: %d bytes", errLarge, maxJar)
	}
	return err
}

func (j *folderJar) warnSkipped(name, why string) {
	j.warnings = append(j.warnings, name+" is skipped: "+why)
}

// openRegular opens a regular file. It refuses pipes and devices, whose reads
// may block or never end.
func openRegular(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("it is not a regular file")}
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}
