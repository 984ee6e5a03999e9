package builtin

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// itemFormat writes the items of a file.
type itemFormat interface {
	// appendHeader appends the line before the first item, without its end, or
	// nothing.
	appendHeader(to []byte) ([]byte, error)
	// appendItem appends the line of an item, without its end. Its error is a
	// [FormatError] without the number of the item.
	appendItem(to []byte, item Record) ([]byte, error)
}

// fileWriter is what the writers of all formats have in common.
type fileWriter struct {
	format  itemFormat
	path    string
	replace bool // a file that exists already
	lineEnd string
	table   *charmap.Charmap

	file    *os.File
	size    int64
	tail    []byte // the last bytes of the file, up to tailSize
	isNew   bool   // this writer has created the file
	dirSync bool   // the folder has to be synced
	failed  error  // of the file system: what the file holds is unknown

	buffer []byte
	line   []byte
}

// writerCheckpoint is the checkpoint of the writers. The checksum keeps a restart
// from cutting another file, such as that of another day.
type writerCheckpoint struct {
	Size     int64  `json:"size"` // of the file
	TailSize int    `json:"tail_size,omitempty"`
	TailSum  uint32 `json:"tail_sum,omitempty"` // checksum of the last TailSize bytes of Size
}

// tailSize is how many bytes of a file a checkpoint has a checksum of, at most.
const tailSize = 4096

// newFileWriter reads the properties that the writers have in common.
func (c *Config) newFileWriter(p *properties) *fileWriter {
	c.checkFiles(p, "file")
	return &fileWriter{
		path:    p.requiredText("file", "a file"),
		replace: p.choice("existing", "replace", "refuse") == "replace",
		lineEnd: map[string]string{"lf": "\n", "crlf": "\r\n"}[p.choice("line_end", "lf", "crlf")],
		table:   encodingProperty(p),
	}
}

// Open creates the file, or truncates it to the checkpoint.
func (f *fileWriter) Open(_ context.Context, last agent.Checkpoint) error {
	var at writerCheckpoint
	again, err := last.Load(&at)
	if err != nil {
		return err
	}
	if err := f.openFile(again); err != nil {
		return err
	}
	f.failed = nil
	if err := f.begin(again, at); err != nil {
		_ = f.file.Close()
		return err
	}
	return nil
}

// openFile opens the file. Only a file of an earlier commit must exist.
func (f *fileWriter) openFile(again bool) (err error) {
	if !again {
		f.file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			f.isNew, f.dirSync = true, true
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if !f.replace && !f.isNew {
			return fmt.Errorf("%w, want a new file (property existing)", err)
		}
	}
	access := os.O_WRONLY
	if again {
		access = os.O_RDWR // to compare it
	}
	f.file, err = openRegular(f.path, access)
	return err
}

// begin brings the file to the state of the last commit.
func (f *fileWriter) begin(again bool, at writerCheckpoint) error {
	// Not earlier: another writer may be at work on the file.
	if err := lockFile(f.file); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	info, err := f.file.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() < at.Size:
		return fmt.Errorf("%s has changed since the last commit: want at least %d bytes, got %d", f.path, at.Size, info.Size())
	}
	if err := f.checkTail(again, at); err != nil {
		return err
	}
	if err := f.truncate(at.Size); err != nil || again {
		return err
	}
	line, err := f.format.appendHeader(nil)
	if err != nil {
		return err
	}
	if len(line) > 0 {
		line = append(line, f.lineEnd...)
	}
	header, err := f.finishLines(nil, line)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	return f.write(header)
}

// checkTail returns an error if the file is not the one that the checkpoint is
// about. It notices another file by the bytes before the place of the commit.
func (f *fileWriter) checkTail(again bool, at writerCheckpoint) error {
	f.tail = f.tail[:0]
	if !again {
		return nil
	}
	size := min(at.Size, tailSize)
	f.tail = append(f.tail, make([]byte, size)...)
	if _, err := f.file.ReadAt(f.tail, at.Size-size); err != nil {
		return err
	}
	if n := at.TailSize; n < 0 || int64(n) > size || crc32.ChecksumIEEE(f.tail[size-int64(n):]) != at.TailSum {
		return fmt.Errorf("%s has changed since the last commit: want the file that was written up to byte %d, got another one", f.path, at.Size)
	}
	return nil
}

// keepTail keeps the last bytes of what was written.
func (f *fileWriter) keepTail(text []byte) {
	if keep := tailSize - len(text); keep <= 0 {
		f.tail, text = f.tail[:0], text[-keep:]
	} else if drop := len(f.tail) - keep; drop > 0 {
		f.tail = f.tail[:copy(f.tail, f.tail[drop:])]
	}
	f.tail = append(f.tail, text...)
}

func (f *fileWriter) truncate(size int64) error {
	err := f.file.Truncate(size)
	if err == nil {
		_, err = f.file.Seek(size, io.SeekStart)
	}
	f.size = size
	return err
}

// finishLines appends lines in UTF-8 in the encoding of the file.
func (f *fileWriter) finishLines(to, lines []byte) ([]byte, error) {
	if !utf8.Valid(lines) {
		return to, errors.New("want UTF-8")
	}
	if f.table == nil {
		return append(to, lines...), nil
	}
	for _, r := range string(lines) {
		b, ok := f.table.EncodeRune(r)
		if !ok {
			return to, fmt.Errorf("%q is not in the encoding %v", r, f.table)
		}
		to = append(to, b)
	}
	return to, nil
}

// WriteItems writes all items or, if it returns an error, none of them.
func (f *fileWriter) WriteItems(_ context.Context, items []Record) error {
	f.buffer = f.buffer[:0]
	for i, item := range items {
		if err := f.appendItem(item); err != nil {
			var e *FormatError
			if !errors.As(err, &e) {
				e = &FormatError{Problem: err.Error()}
			}
			e.Item = i + 1
			return e
		}
	}
	err := f.write(f.buffer)
	if cap(f.buffer) > 16<<20 {
		f.buffer = nil // a large chunk does not mean that the next one is large
	}
	return err
}

func (f *fileWriter) appendItem(item Record) (err error) {
	if f.line, err = f.format.appendItem(f.line[:0], item); err != nil {
		return err
	}
	f.line = append(f.line, f.lineEnd...)
	f.buffer, err = f.finishLines(f.buffer, f.line)
	return err
}

// write appends to the file. What an error has left of it is removed.
func (f *fileWriter) write(text []byte) error {
	if f.failed != nil {
		return f.failed
	}
	if _, err := f.file.Write(text); err != nil {
		if undone := f.truncate(f.size); undone != nil {
			f.failed = fmt.Errorf("%w; then %s", err, undone.Error())
			return f.failed
		}
		return err
	}
	f.size += int64(len(text))
	f.keepTail(text)
	return nil
}

// CheckpointInfo returns the size of the file, once the file is on disk. After a
// failed sync the system may have dropped what was written, and a further sync
// succeeds: so the writer stays failed until it is opened again.
func (f *fileWriter) CheckpointInfo(context.Context) (any, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	if f.failed = f.file.Sync(); f.failed != nil {
		return nil, f.failed
	}
	if f.dirSync {
		if f.failed = syncDir(filepath.Dir(f.path)); f.failed != nil {
			return nil, f.failed
		}
		f.dirSync = false
	}
	return writerCheckpoint{f.size, len(f.tail), crc32.ChecksumIEEE(f.tail)}, nil
}

// Close closes the file.
func (f *fileWriter) Close(context.Context) error { return f.file.Close() }
