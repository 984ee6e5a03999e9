package builtin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/text/encoding/charmap"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// lineFormat reads the items of a file.
type lineFormat interface {
	// readHeader reads what stands before the first item.
	readHeader(f *fileReader) error
	// readItem returns the next item. At the end of the file the error is io.EOF.
	// After any error the next call reads the lines after those that were read.
	readItem(f *fileReader) (Record, error)
}

// fileReader is what the readers of all formats have in common.
type fileReader struct {
	format    lineFormat
	path      string
	limit     int // bytes of a line
	table     *charmap.Charmap
	skipLines int
	comment   []byte // begins lines that are passed over; empty: none

	file  *os.File
	lines *lineReader
	head  []byte // the first bytes of the file
}

// fileCheckpoint is the checkpoint of the readers.
type fileCheckpoint struct {
	Offset   int64  `json:"offset"` // of the next line
	Line     int64  `json:"line"`   // number of the last line
	HeadSize int    `json:"head_size"`
	HeadSum  uint32 `json:"head_sum"` // checksum of the first HeadSize bytes
}

// headSize is how many bytes of a file a checkpoint has a checksum of, at most.
const headSize = 4096

// Limits of the property line_bytes. A commit must not wait long for a line.
const (
	lineBytes    = 1 << 20
	maxLineBytes = 64 << 20
)

// tables are the encodings besides UTF-8. Each has one byte for each character,
// and those of ASCII are the same.
var tables = map[string]*charmap.Charmap{
	"utf-8": nil, "iso-8859-1": charmap.ISO8859_1, "iso-8859-15": charmap.ISO8859_15, "windows-1252": charmap.Windows1252,
}

func encodingProperty(p *properties) *charmap.Charmap {
	return tables[p.choice("encoding", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252")]
}

// newFileReader reads the properties that the readers have in common.
func (c *Config) newFileReader(p *properties) *fileReader {
	c.checkFiles(p, "file")
	return &fileReader{
		path:  p.requiredText("file", "a file"),
		limit: p.number("line_bytes", lineBytes, 1, maxLineBytes),
		table: encodingProperty(p),
	}
}

// Open opens the file, and goes to the checkpoint.
func (f *fileReader) Open(_ context.Context, last agent.Checkpoint) (err error) {
	var at fileCheckpoint
	again, err := last.Load(&at)
	if err != nil {
		return err
	}
	if f.file, err = openRegular(f.path, os.O_RDONLY); err != nil {
		return err
	}
	if err = f.begin(again, at); err != nil {
		_ = f.file.Close()
	}
	return err
}

// begin reads the beginning of the file.
func (f *fileReader) begin(again bool, at fileCheckpoint) error {
	head, err := io.ReadAll(io.NewSectionReader(f.file, 0, headSize))
	if err != nil {
		return err
	}
	f.head, f.lines = head, newLineReader(f.file, f.limit, f.table)
	if again {
		if err := f.checkUnchanged(at); err != nil {
			return err
		}
	}
	for range f.skipLines {
		if _, err := f.lines.next(); err != nil && !errors.Is(err, errBadLine) && !errors.Is(err, io.EOF) {
			return err
		}
	}
	if err := f.format.readHeader(f); err != nil {
		return err
	}
	if again {
		return f.lines.seek(at.Offset, at.Line)
	}
	return nil
}

// checkUnchanged returns an error if the file is not the one that the checkpoint
// is about. It notices another file by its first lines.
func (f *fileReader) checkUnchanged(at fileCheckpoint) error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < at.Offset {
		return fmt.Errorf("%s has changed since the last commit: want at least %d bytes, got %d", f.path, at.Offset, info.Size())
	}
	if at.HeadSize < 0 || at.HeadSize > len(f.head) || crc32.ChecksumIEEE(f.head[:at.HeadSize]) != at.HeadSum {
		return fmt.Errorf("%s has changed since the last commit: want the file that was read up to line %d, got another beginning", f.path, at.Line)
	}
	return nil
}

// ReadItem returns the next item.
func (f *fileReader) ReadItem(context.Context) (Record, error) { return f.format.readItem(f) }

// CheckpointInfo returns the position after the last item.
func (f *fileReader) CheckpointInfo(context.Context) (any, error) {
	size := int(min(int64(len(f.head)), f.lines.offset)) // what follows may still be written
	return fileCheckpoint{f.lines.offset, f.lines.number, size, crc32.ChecksumIEEE(f.head[:size])}, nil
}

// Close closes the file.
func (f *fileReader) Close(context.Context) error { return f.file.Close() }

// nextLine returns the next line that is not a comment. A line that cannot be
// read is a [ParseError].
func (f *fileReader) nextLine() ([]byte, error) {
	for {
		line, err := f.lines.next()
		switch {
		case errors.Is(err, errBadLine):
			return nil, f.parseError(f.lines.number, badLineProblem(err))
		case err != nil:
			return nil, err
		case len(f.comment) == 0 || !bytes.HasPrefix(line, f.comment):
			return line, nil
		}
	}
}

// parseError returns the error of the lines from first to the last one that was
// read.
func (f *fileReader) parseError(first int64, problem string) *ParseError {
	return &ParseError{File: f.path, Line: first, LastLine: f.lines.number, Problem: problem}
}

// openRegular opens a regular file. Others have no offsets to go back to.
func openRegular(path string, flags int) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open %s: want a regular file", path)
	}
	return os.OpenFile(path, flags, 0o666)
}
