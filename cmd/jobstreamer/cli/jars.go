package cli

import (
	"archive/zip"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// jar is an artifact of a class path.
type jar struct {
	name, file string // as it is called, and where it is read
	sum        string // SHA-256
	size       int64
}

func (j jar) ref() rest.ArtifactRef { return rest.ArtifactRef{Name: j.name, SHA256: j.sum} }

// jarsOf makes the class path that paths say: archives, folders of jars, and class folders, which become jars in the folder temp.
func jarsOf(paths []string, temp string) (all []jar, err error) {
	for _, p := range paths {
		files, err := archives(p, filepath.Join(temp, fmt.Sprint(len(all))))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			j, err := sumOf(file)
			if err != nil {
				return nil, err
			}
			all = append(all, j)
		}
	}
	return distinct(all)
}

// distinct leaves out what is named twice. Two contents cannot have one name.
func distinct(all []jar) (jars []jar, err error) {
	seen := map[string]jar{}
	for _, j := range all {
		was, twice := seen[j.name]
		if twice && was.sum != j.sum {
			return nil, usage("%s and %s have the same name and are not the same", was.file, j.file)
		}
		if seen[j.name] = j; !twice {
			jars = append(jars, j)
		}
	}
	return jars, nil
}

// archives are the jars that a path means.
func archives(p, temp string) ([]string, error) {
	info, err := os.Stat(p)
	if err != nil {
		return nil, pathError(err)
	}
	if !info.IsDir() {
		if !endsIn(p, ".jar", ".war", ".ear", ".zip") {
			return nil, usage("%s: want a jar, war, ear or zip, a class folder or a folder of jars", p)
		}
		return []string{p}, nil
	}
	files, err := filesBelow(p)
	if err != nil {
		return nil, err
	}
	jars, classes := []string{}, false
	for _, f := range files {
		classes = classes || strings.HasSuffix(f, ".class")
		if endsIn(f, ".jar", ".war") && !strings.Contains(f, "/") {
			jars = append(jars, filepath.Join(p, filepath.FromSlash(f)))
		}
	}
	switch {
	case len(files) == 0:
		return nil, usage("%s is empty", p)
	case len(jars) > 0 && !classes:
		return jars, nil
	}
	file, err := pack(p, files, temp)
	return []string{file}, err
}

func endsIn(file string, endings ...string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(file)))
}

// filesBelow are the files below a folder, with slashes, sorted.
func filesBelow(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := os.Stat(p); err != nil || !info.Mode().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(files)
	return files, pathError(err)
}

// epoch is the time of all entries: the first one that a zip file can have.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

const manifest = "META-INF/MANIFEST.MF"

// pack makes a jar of a class folder. The same files make the same bytes, wherever and whenever: a jar that is stored already is
// known by its content.
func pack(dir string, files []string, temp string) (file string, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return "", err
	}
	out, err := os.Create(filepath.Join(temp, filepath.Base(abs)+".jar"))
	if err != nil {
		return "", err
	}
	z := zip.NewWriter(out)
	for _, name := range entries(files) {
		if err == nil {
			err = addEntry(z, dir, name)
		}
	}
	if err := errors.Join(err, z.Close(), out.Close()); err != nil {
		return "", fmt.Errorf("make a jar of %s: %w", dir, err)
	}
	return out.Name(), nil
}

// entries are the files and, because class loaders are asked for them, their folders. The manifest comes first, as readers of
// streams want it.
func entries(files []string) []string {
	all := map[string]bool{}
	for _, f := range files {
		all[f] = true
		for d := path.Dir(f); d != "."; d = path.Dir(d) {
			all[d+"/"] = true
		}
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	rank := func(name string) int { return slices.Index([]string{"", manifest, "META-INF/"}, name) }
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(rank(b)-rank(a), strings.Compare(a, b)) })
	return names
}

func addEntry(z *zip.Writer, dir, name string) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch}
	if strings.HasSuffix(name, "/") {
		h.Method = zip.Store
		_, err := z.CreateHeader(h)
		return err
	}
	in, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer in.Close()
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = io.Copy(w, in)
	}
	return err
}

func sumOf(file string) (jar, error) {
	f, err := os.Open(file)
	if err != nil {
		return jar{}, pathError(err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return jar{}, pathError(err)
	}
	return jar{filepath.Base(file), file, hex.EncodeToString(h.Sum(nil)), n}, nil
}

// pathError says first where something went wrong, then what.
func pathError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}
