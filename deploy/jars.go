package deploy

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
)

const (
	maxJar       = 1 << 30  // bytes
	maxDirectory = 32 << 20 // bytes of a jar's directory, which is in memory while it is checked
)

var errNoJar = errors.New("not a jar")

// Store stores a jar. If ref has a SHA-256, the content must match it, and
// Store reads nothing if such a jar is already stored. Otherwise Store computes
// it. If the content is not a jar, the error is a [bus.FieldError].
func (d *Deployer) Store(ctx context.Context, ref ArtifactRef, r io.Reader) (a Artifact, created bool, err error) {
	var wrong Errors
	if checkName(&wrong, "/name", ref.Name); ref.SHA256 != "" {
		ref.SHA256 = checkSHA256(&wrong, "/sha256", ref.SHA256)
	}
	if err := wrong.orNil(); err != nil {
		return a, false, err
	}
	if ref.SHA256 != "" {
		obj, err := d.touchJar(ctx, ref.SHA256)
		if !errors.Is(err, bus.ErrNotFound) {
			return newArtifact(ref.Name, obj), false, err
		}
	}
	defer collectEarly()()
	s, err := d.spoolFile(func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(ctxReader{ctx, r}, maxJar+1))
		if n > maxJar {
			err = errLarge
		}
		return err
	})
	if err == nil {
		defer s.closeAndRemove()
		if ref.SHA256 != "" && ref.SHA256 != s.sum {
			return a, false, &bus.FieldError{Path: "/sha256", Want: "the SHA-256 of the content, " + s.sum, Got: ref.SHA256}
		}
		a, created, err = d.createJar(ctx, ref.Name, s.sum, s.File, s.size)
	}
	switch {
	case errors.Is(err, errLarge):
		err = &bus.FieldError{Path: "/content", Want: "at most " + strconv.Itoa(maxJar) + " bytes", Got: ref.Name}
	case errors.Is(err, errNoJar):
		err = &bus.FieldError{Path: "/content", Want: "a jar", Got: ref.Name + ": " + err.Error()}
	}
	return a, created, wrapError(err, "store %s", ref.Name)
}

// createJar stores a jar under its SHA-256, unless it is already stored. If the
// content has another SHA-256, the error is [objects.ErrContent].
func (d *Deployer) createJar(ctx context.Context, name, sum string, r io.ReaderAt, size int64) (Artifact, bool, error) {
	if obj, err := d.touchJar(ctx, sum); !errors.Is(err, bus.ErrNotFound) {
		return newArtifact(name, obj), false, err
	}
	poms, err := inspectJar(r, size)
	if err != nil {
		return Artifact{}, false, err
	}
	release, err := d.reserveSpace(ctx, size)
	if err != nil {
		return Artifact{}, false, err
	}
	defer release()
	meta := jetstream.ObjectMeta{Name: sum, Description: name, Metadata: map[string]string{typeKey: typeJar}}
	if len(poms) > 0 {
		meta.Metadata[mavenKey] = joinPoms(poms)
	}
	obj, created, err := d.objects.Create(ctx, meta, ctxReader{ctx, io.NewSectionReader(r, 0, size)})
	if err != nil {
		return Artifact{}, false, err
	}
	return newArtifact(name, obj), created, nil
}

// touchJar returns a stored jar and restarts its minimum age, so that no sweep
// removes it soon.
func (d *Deployer) touchJar(ctx context.Context, sum string) (*objects.Object, error) {
	obj, err := d.objects.Touch(ctx, sum)
	if err == nil && obj.Metadata[typeKey] != typeJar {
		err = fmt.Errorf("object %s is not a jar: %w", sum, bus.ErrNotFound)
	}
	return obj, err
}

func newArtifact(name string, obj *objects.Object) Artifact {
	c := ownCoordinates(name, splitPoms(obj.Metadata[mavenKey]))
	return Artifact{
		ArtifactRef: ArtifactRef{Name: name, SHA256: obj.Name}, Size: int64(obj.Size),
		Group: c.group, ID: c.id, Version: c.version,
	}
}

// inspectJar checks that the content is a jar, and returns the Maven
// coordinates in it.
func inspectJar(r io.ReaderAt, size int64) ([]coordinates, error) {
	limited := &limitedReaderAt{r, maxDirectory}
	z, err := zip.NewReader(limited, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoJar, err)
	}
	limited.left = 1 << 62
	return readPoms(z), nil
}

// limitedReaderAt limits how many bytes are read in all.
type limitedReaderAt struct {
	r    io.ReaderAt
	left int64
}

func (l *limitedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errors.New("its zip directory is too large")
	}
	return l.r.ReadAt(p, off)
}

// spooledFile is a temporary file.
type spooledFile struct {
	*os.File
	size int64
	sum  string
}

// spoolFile creates a temporary file with the output of write, and computes its
// size and SHA-256.
func (d *Deployer) spoolFile(write func(io.Writer) error) (*spooledFile, error) {
	f, err := os.CreateTemp(d.tempDir, "jobstreamer-*.jar")
	if err != nil {
		return nil, &spoolError{err}
	}
	s := &spooledFile{File: f}
	if runtime.GOOS != "windows" { // the system frees an unnamed file even if the process crashes
		os.Remove(f.Name())
	}
	h := sha256.New()
	if err = write(io.MultiWriter(spoolWriter{f}, h)); err == nil {
		s.size, err = f.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		s.closeAndRemove()
		return nil, err
	}
	s.sum = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// spoolError is a failure to write to the bus's own disk, as opposed to a
// failure to read the jar.
type spoolError struct{ err error }

func (e *spoolError) Error() string { return e.err.Error() }
func (e *spoolError) Unwrap() error { return e.err }

type spoolWriter struct{ f *os.File }

func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = &spoolError{err}
	}
	return n, err
}

func (s *spooledFile) closeAndRemove() {
	s.Close()
	os.Remove(s.Name())
}

// ctxReader fails once its context has ended.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Open returns the content and the size of a stored jar. The reader fails once
// ctx has ended.
func (d *Deployer) Open(ctx context.Context, sum string) (io.ReadCloser, int64, error) {
	r, obj, err := d.objects.Open(ctx, sum)
	if err == nil && obj.Metadata[typeKey] != typeJar {
		err = fmt.Errorf("object %s is not a jar: %w", sum, bus.ErrNotFound)
	}
	if err != nil {
		return nil, 0, err
	}
	return r, int64(obj.Size), nil
}
