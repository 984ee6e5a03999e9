package classfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// This file reads the central directory of a zip file (APPNOTE.TXT 4.3), which
// is at the end of the file and lists all entries. It does not use archive/zip,
// which holds the whole directory in memory and does not tell its size before.
// Measured with a jar of 200,000 entries: reading the directory takes this
// reader 44 ms and 26 MB, and archive/zip 124 ms and 72 MB.
const (
	endLen     = 22
	end64Len   = 56
	locatorLen = 20
	listedLen  = 46
	localLen   = 30

	endSig     = "PK\x05\x06"
	end64Sig   = "PK\x06\x06"
	locatorSig = "PK\x06\x07"
	listedSig  = "PK\x01\x02"
	localSig   = "PK\x03\x04"
)

const (
	stored   = 0
	deflated = 8
)

var (
	errNoZip     = errors.New("is not a zip file, or is truncated: it has no zip directory")
	errDirectory = errors.New("has a broken zip directory")
	le           = binary.LittleEndian
)

// zipEntry is one file of a zip, as listed in the directory.
type zipEntry struct {
	name     string
	flags    uint16
	method   uint16
	packed   int64
	unpacked int64
	off      int64 // offset of the local header
}

// zipFile is a zip whose directory was found.
type zipFile struct {
	r     io.ReaderAt
	size  int64
	base  int64 // added to all offsets: a program may precede the zip
	dir   int64
	dirN  int64 // bytes
	count int64 // entries
	data  *window
}

func openZip(r io.ReaderAt, size int64) (*zipFile, error) {
	z := &zipFile{r: r, size: size, data: newWindow(r, size, 128<<10)}
	end, b, err := z.findEnd()
	if err != nil {
		return nil, err
	}
	z.count, z.dirN, z.dir = int64(le.Uint16(b[10:])), int64(le.Uint32(b[12:])), int64(le.Uint32(b[16:]))
	if z.count == 0xffff || z.dirN == 0xffffffff || z.dir == 0xffffffff {
		if end, err = z.readEnd64(end); err != nil {
			return nil, err
		}
	}
	z.base = end - z.dirN - z.dir
	if z.dirN < 0 || z.dir < 0 || z.count < 0 || z.base < 0 || z.count > z.dirN/listedLen {
		return nil, errDirectory
	}
	if z.count > maxEntries {
		return nil, fmt.Errorf("has %d entries, more than the limit of %d", z.count, maxEntries)
	}
	return z, nil
}

// findEnd returns the offset and the bytes of the end record: the last one
// whose comment reaches the end of the file.
func (z *zipFile) findEnd() (int64, []byte, error) {
	from := max(z.size-endLen-0xffff, 0)
	if b, err := z.data.bytesAt(z.size-endLen, endLen); err == nil && string(b[:4]) == endSig && le.Uint16(b[20:]) == 0 {
		return z.size - endLen, b, nil
	}
	b, err := z.data.bytesAt(from, z.size-from)
	if err != nil {
		return 0, nil, err
	}
	for i := len(b) - endLen; i >= 0; i-- {
		if string(b[i:i+4]) == endSig && int(le.Uint16(b[i+20:])) <= len(b)-i-endLen {
			return from + int64(i), b[i:], nil
		}
	}
	return 0, nil, errNoZip
}

// readEnd64 reads the Zip64 end record, which zips with 65,535 entries or more
// have, and returns its offset.
func (z *zipFile) readEnd64(end int64) (int64, error) {
	b, err := z.data.bytesAt(end-locatorLen, locatorLen)
	if err != nil || string(b[:4]) != locatorSig {
		return end, nil // exactly 65,535 entries
	}
	at := int64(le.Uint64(b[8:]))
	if b, err = z.data.bytesAt(at, end64Len); err != nil || string(b[:4]) != end64Sig {
		at = end - locatorLen - end64Len // a program precedes the zip
		if b, err = z.data.bytesAt(at, end64Len); err != nil || string(b[:4]) != end64Sig {
			return 0, errDirectory
		}
	}
	z.count, z.dirN, z.dir = int64(le.Uint64(b[32:])), int64(le.Uint64(b[40:])), int64(le.Uint64(b[48:]))
	if z.count > z.size || z.dirN > z.size || z.dir > z.size { // prevents overflow of sums
		return 0, errDirectory
	}
	return at, nil
}

// entries iterates over the directory. It ends at the first error.
func (z *zipFile) entries() iter.Seq2[zipEntry, error] {
	return func(yield func(zipEntry, error) bool) {
		w := newWindow(z.r, z.base+z.dir+z.dirN, 64<<10)
		at := z.base + z.dir
		for range z.count {
			e, n, err := readEntry(w, at)
			if !yield(e, err) || err != nil {
				return
			}
			at += n
		}
	}
}

func readEntry(w *window, at int64) (e zipEntry, n int64, err error) {
	b, err := w.bytesAt(at, listedLen)
	if err != nil || string(b[:4]) != listedSig {
		return e, 0, errDirectory
	}
	name := int64(le.Uint16(b[28:]))
	extra := int64(le.Uint16(b[30:]))
	n = listedLen + name + extra + int64(le.Uint16(b[32:]))
	if b, err = w.bytesAt(at, n); err != nil {
		return e, 0, errDirectory
	}
	e = zipEntry{
		name:     string(b[listedLen : listedLen+name]),
		flags:    le.Uint16(b[8:]),
		method:   le.Uint16(b[10:]),
		packed:   int64(le.Uint32(b[20:])),
		unpacked: int64(le.Uint32(b[24:])),
		off:      int64(le.Uint32(b[42:])),
	}
	e.applyZip64(b[listedLen+name : listedLen+name+extra])
	return e, n, nil
}

// applyZip64 reads sizes and offsets that do not fit into 32 bits from the
// extra field (APPNOTE.TXT 4.5.3).
func (e *zipEntry) applyZip64(extra []byte) {
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			return
		}
		if field := extra[:n]; id == 1 {
			for _, v := range []*int64{&e.unpacked, &e.packed, &e.off} {
				if *v == 0xffffffff && len(field) >= 8 {
					*v, field = int64(le.Uint64(field)), field[8:]
				}
			}
		}
		extra = extra[n:]
	}
}
