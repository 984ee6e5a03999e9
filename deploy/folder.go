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
	"slices"
	"strings"
	"time"
)

// WriteFolder writes a class folder to w as a jar. It follows links. Each
// warning names a file that it left out. The same folder always gives the same
// bytes.
func WriteFolder(ctx context.Context, w io.Writer, dir string) (warnings []string, err error) {
	return newFolderJar(ctx, w, everywhere{}, nil).writeFolder(dir)
}

// folderJar writes a class folder as a jar. The same folder gives the same
// bytes, so that it is stored once: entries are sorted, all have the same time
// and mode, and nothing is compressed, because the output of a compressor may
// change with its version.
type folderJar struct {
	ctx      context.Context
	from     source
	closed   closedFolders // left out
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

func newFolderJar(ctx context.Context, w io.Writer, from source, closed closedFolders) *folderJar {
	j := &folderJar{ctx: ctx, from: from, closed: closed, zip: zip.NewWriter(w), left: maxJar}
	// Deflate without compression: some Java APIs cannot read stored entries
	// whose size follows the data.
	j.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.NoCompression)
	})
	return j
}

// writeFolder writes all of dir. Each warning names a file that it left out.
func (j *folderJar) writeFolder(dir string) (warnings []string, err error) {
	f, st, err := openFile(j.from, dir, j.closed)
	if err != nil {
		return nil, err
	}
	defer f.Close() // if nothing else has closed it
	if err = j.writeManifest(dir); err == nil {
		err = j.addFolder(f, dir, "", []fs.FileInfo{st})
	}
	if err == nil {
		err = j.zip.Close()
	}
	return j.warnings, err
}

// writeManifest writes the manifest first, where streaming readers look for it.
func (j *folderJar) writeManifest(dir string) error {
	f, st, err := openFile(j.from, filepath.Join(dir, filepath.FromSlash(manifestName)), j.closed)
	if err != nil {
		return nil // if it exists but cannot be read, the walk returns the error
	}
	defer f.Close()
	if st.IsDir() {
		return nil
	}
	j.manifest = true
	if _, err = j.createEntry(manifestDir); err != nil {
		return err
	}
	return j.addFile(f, manifestName)
}

// addFolder writes the content of the open folder dir, and closes it. Above
// holds the folders on the path to dir: following a link back to one of them
// would never end.
func (j *folderJar) addFolder(open *os.File, dir, prefix string, above []fs.FileInfo) error {
	all, err := open.ReadDir(-1)
	open.Close()
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range all {
		if err := j.addEntry(filepath.Join(dir, e.Name()), prefix+e.Name(), above); err != nil {
			return err
		}
	}
	return nil
}

func (j *folderJar) addEntry(path, name string, above []fs.FileInfo) error {
	f, st, err := openFile(j.from, path, j.closed)
	var closed *closedError
	switch {
	case errors.Is(err, errSpecial), errors.As(err, &closed):
		j.warnSkipped(name, err.Error())
		return nil
	case err != nil:
		return err
	}
	defer f.Close()
	switch {
	case st.IsDir():
		return j.addSubfolder(f, path, name+"/", st, above)
	case name == manifestName && j.manifest:
		return nil
	}
	return j.addFile(f, name)
}

func (j *folderJar) addSubfolder(open *os.File, dir, name string, st fs.FileInfo, above []fs.FileInfo) error {
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
	return j.addFolder(open, dir, name, append(above[:len(above):len(above)], st))
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

func (j *folderJar) addFile(f *os.File, name string) error {
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
