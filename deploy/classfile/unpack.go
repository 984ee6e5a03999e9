package classfile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxDeflate is the highest compression ratio of deflate. A directory that
// claims more is wrong.
const maxDeflate = 1040

var (
	errEncrypted = errors.New("is encrypted")
	errTooMuch   = errors.New("unpacks to more bytes than a jar of this size may")
	errLength    = errors.New("its unpacked length differs from that in the zip directory")
)

// unpacker unpacks entries and reuses its buffers.
type unpacker struct {
	inflate io.ReadCloser
	packed  bytes.Reader
	buf     []byte
}

// dataOffset returns the offset of an entry's data.
func (z *zipFile) dataOffset(e zipEntry) (int64, error) {
	switch {
	case e.flags&1 != 0:
		return 0, errEncrypted
	case e.method != stored && e.method != deflated:
		return 0, fmt.Errorf("is compressed by method %d: want 0 (stored) or 8 (deflate)", e.method)
	case e.packed < 0 || e.unpacked < 0 || e.off < 0 || e.off > z.size || e.packed > z.size:
		return 0, errTruncated
	case e.method == stored && e.packed != e.unpacked, e.unpacked/maxDeflate > e.packed:
		return 0, errLength
	}
	b, err := z.data.bytesAt(z.base+e.off, localLen)
	if err != nil {
		return 0, err
	}
	if string(b[:4]) != localSig {
		return 0, errors.New("is not where the zip directory says")
	}
	return z.base + e.off + localLen + int64(le.Uint16(b[26:])) + int64(le.Uint16(b[28:])), nil
}

// unpackEntry unpacks an entry of at most limit bytes. The result is valid
// until the next call. It does not verify checksums; a JVM does not either.
func (u *unpacker) unpackEntry(z *zipFile, e zipEntry, limit int64, left *budget) ([]byte, error) {
	if e.unpacked > limit || e.packed > limit+1<<10 {
		return nil, fmt.Errorf("has %d bytes, more than the limit of %d", max(e.unpacked, e.packed), limit)
	}
	return u.unpackHead(z, e, e.unpacked, left)
}

// unpackHead unpacks the first n bytes of an entry. They are valid until the
// next call.
func (u *unpacker) unpackHead(z *zipFile, e zipEntry, n int64, left *budget) ([]byte, error) {
	off, err := z.dataOffset(e)
	if err != nil {
		return nil, err
	}
	if !left.trySpend(openCost + n) {
		return nil, errTooMuch
	}
	packed := e.packed
	if n < e.unpacked {
		packed = min(packed, 2*n+1<<10)
	}
	b, err := z.data.bytesAt(off, packed)
	if err != nil || e.method == stored {
		return b[:min(n, int64(len(b)))], err
	}
	u.resetInput(b)
	if int64(cap(u.buf)) < n+1 {
		u.buf = make([]byte, n+1)
	}
	got, err := io.ReadFull(u.inflate, u.buf[:n+1]) // the extra byte reveals an entry that is too long
	switch {
	case err == nil && n < e.unpacked, int64(got) == n && errors.Is(err, io.ErrUnexpectedEOF), n == 0 && errors.Is(err, io.EOF):
		return u.buf[:n], nil
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, errLength
	}
	return nil, fmt.Errorf("cannot be unpacked: %w", err)
}

func (u *unpacker) resetInput(packed []byte) {
	u.packed.Reset(packed)
	if u.inflate == nil {
		u.inflate = flate.NewReader(&u.packed)
		return
	}
	_ = u.inflate.(flate.Resetter).Reset(&u.packed, nil) // cannot fail without a dictionary
}

// openNested opens a jar inside a jar. An uncompressed one is read in place, as
// Spring Boot does. A compressed one is unpacked into a temporary file, so that
// no jar is held in memory.
func (z *zipFile) openNested(e zipEntry, left *budget, temp string) (r io.ReaderAt, release func(), err error) {
	if e.unpacked > maxNested {
		return nil, nil, fmt.Errorf("has %d bytes, more than the limit of %d", e.unpacked, maxNested)
	}
	off, err := z.dataOffset(e)
	if err != nil {
		return nil, nil, err
	}
	in := io.NewSectionReader(z.r, off, e.packed)
	switch {
	case off > z.size-e.packed:
		return nil, nil, errTruncated
	case !left.trySpend(nestedCost), e.method == deflated && !left.trySpend(e.unpacked):
		return nil, nil, errTooMuch
	case e.method == stored:
		return in, func() {}, nil
	}
	return unpackToFile(flate.NewReader(bufio.NewReaderSize(in, 64<<10)), e.unpacked, temp)
}

func unpackToFile(r io.Reader, size int64, temp string) (*os.File, func(), error) {
	f, err := os.CreateTemp(temp, "jobstreamer-nested-*.jar")
	if err != nil {
		return nil, nil, &diskError{err}
	}
	gone := os.Remove(f.Name()) == nil // if the system allows it, a crash leaves no file behind
	release := func() {
		f.Close()
		if !gone {
			os.Remove(f.Name())
		}
	}
	n, err := io.Copy(diskWriter{f}, io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = errLength
	}
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("cannot be unpacked: %w", err)
	}
	return f, release, nil
}

// diskError is a failure to write to the disk, as opposed to a broken jar.
type diskError struct{ error }

func (e *diskError) Unwrap() error { return e.error }

// diskWriter wraps write errors in [diskError].
type diskWriter struct{ w io.Writer }

func (d diskWriter) Write(b []byte) (int, error) {
	n, err := d.w.Write(b)
	if err != nil {
		err = &diskError{err}
	}
	return n, err
}
