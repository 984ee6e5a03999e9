package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// jar is an artifact of a class path.
type jar struct {
	name, file string // its name in the class path, and the file to read
	sum        string // SHA-256
	size       int64
	warnings   []string // files that were left out of a class folder
}

func (j jar) artifactRef() rest.ArtifactRef { return rest.ArtifactRef{Name: j.name, SHA256: j.sum} }

// jarsOf returns the class path of the paths: archives, folders of jars, and
// class folders, which it packs into jars in the folder temp.
func jarsOf(ctx context.Context, paths []string, temp string) (all []jar, err error) {
	for _, p := range paths {
		files, warnings, err := jarsAt(ctx, p, filepath.Join(temp, fmt.Sprint(len(all))))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			j, err := hashJar(file)
			if err != nil {
				return nil, err
			}
			j.warnings = warnings
			all = append(all, j)
		}
	}
	return withoutDuplicates(all)
}

// withoutDuplicates removes repeated jars. Two different contents with the same
// name are an error.
func withoutDuplicates(all []jar) (jars []jar, err error) {
	seen := map[string]jar{}
	for _, j := range all {
		was, twice := seen[j.name]
		if twice && was.sum != j.sum {
			return nil, usageErrorf("%s and %s have the same name but different content", was.file, j.file)
		}
		if seen[j.name] = j; !twice {
			jars = append(jars, j)
		}
	}
	return jars, nil
}

// jarsAt returns the jars at a path, and warnings about files that were left
// out of a class folder.
func jarsAt(ctx context.Context, p, temp string) (files, warnings []string, err error) {
	info, err := os.Stat(p)
	if err != nil {
		return nil, nil, pathError(err)
	}
	if !info.IsDir() {
		if !endsIn(p, ".jar", ".war", ".ear", ".zip") {
			return nil, nil, usageErrorf("%s: want a jar, war, ear or zip, a class folder or a folder of jars", p)
		}
		return []string{p}, nil, nil
	}
	something, err := hasFile(p, func(string) bool { return true })
	if err != nil {
		return nil, nil, pathError(err)
	}
	if !something {
		return nil, nil, usageErrorf("%s is empty", p)
	}
	if files, err = jarsIn(p); len(files) > 0 && err == nil {
		classes, err := hasFile(p, func(name string) bool { return strings.HasSuffix(name, ".class") })
		if !classes {
			return files, nil, pathError(err)
		}
	}
	if err != nil {
		return nil, nil, pathError(err)
	}
	file, warnings, err := packFolder(ctx, p, temp)
	return []string{file}, warnings, err
}

func endsIn(file string, endings ...string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(file)))
}

// jarsIn returns the jars and wars of a folder, sorted by name.
func jarsIn(dir string) (files []string, err error) {
	all, err := os.ReadDir(dir)
	for _, e := range all {
		file := filepath.Join(dir, e.Name())
		if !endsIn(file, ".jar", ".war") {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			files = append(files, file)
		}
	}
	return files, err
}

// hasFile reports whether a folder contains a file that satisfies such. It
// follows links.
func hasFile(dir string, such func(name string) bool) (bool, error) {
	var seen []fs.FileInfo // each folder is visited once, however many links lead to it
	for left := []string{dir}; len(left) > 0; {
		dir, left = left[0], left[1:]
		all, err := os.ReadDir(dir)
		if err != nil {
			return false, err
		}
		for _, e := range all {
			path := filepath.Join(dir, e.Name())
			info, err := os.Stat(path)
			switch {
			case err != nil:
				return false, err
			case info.Mode().IsRegular() && such(e.Name()):
				return true, nil
			case info.IsDir() && !slices.ContainsFunc(seen, func(s fs.FileInfo) bool { return os.SameFile(s, info) }):
				seen, left = append(seen, info), append(left, path)
			}
		}
	}
	return false, nil
}

// packFolder packs a class folder into a jar. The control bus would make an
// identical jar, so it recognizes a stored one by its digest.
func packFolder(ctx context.Context, dir, temp string) (file string, warnings []string, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return "", nil, err
	}
	name := filepath.Base(abs) + ".jar"
	out, err := os.Create(filepath.Join(temp, name))
	if err != nil {
		return "", nil, err
	}
	warnings, err = deploy.WriteFolder(ctx, out, dir)
	if err = cmp.Or(err, out.Close()); err != nil {
		return "", nil, fmt.Errorf("pack %s into a jar: %w", dir, err)
	}
	for i := range warnings {
		warnings[i] = name + "!/" + warnings[i]
	}
	return out.Name(), warnings, nil
}

func hashJar(file string) (jar, error) {
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
	return jar{name: filepath.Base(file), file: file, sum: hex.EncodeToString(h.Sum(nil)), size: n}, nil
}

// pathError returns an error whose text begins with the path.
func pathError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}
