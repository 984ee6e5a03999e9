package classfile

import (
	"errors"
	"io"
)

var errTruncated = errors.New("truncated")

// window reads a file through a read-ahead buffer: entries mostly lie in the
// order in which they are listed, and a read may be a request to a server.
type window struct {
	r     io.ReaderAt
	size  int64 // of the file
	ahead int64
	from  int64
	buf   []byte
}

func newWindow(r io.ReaderAt, size, ahead int64) *window {
	return &window{r: r, size: size, ahead: ahead}
}

// bytesAt returns the n bytes at off. They are valid until the next call.
func (w *window) bytesAt(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > w.size-n {
		return nil, errTruncated
	}
	if off < w.from || off+n > w.from+int64(len(w.buf)) {
		if err := w.readAhead(off, min(max(n, w.ahead), w.size-off)); err != nil {
			return nil, err
		}
	}
	return w.buf[off-w.from : off-w.from+n], nil
}

func (w *window) readAhead(off, n int64) error {
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	w.from, w.buf = off, w.buf[:n]
	got, err := w.r.ReadAt(w.buf, off)
	if int64(got) == n {
		return nil
	}
	w.buf = w.buf[:0]
	if err == nil || errors.Is(err, io.EOF) {
		err = errTruncated
	}
	return err
}
