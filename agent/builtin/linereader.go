package builtin

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// lineReader reads the lines of a file. A line ends with \n or \r\n.
type lineReader struct {
	file   *os.File
	in     *bufio.Reader
	limit  int              // bytes of a line
	table  *charmap.Charmap // of an encoding with one byte for each character; nil: UTF-8
	offset int64            // behind the last line
	number int64            // of the last line, from 1
	end    []byte           // how the last line ends: \n, \r\n, or nothing at the end of the file
	failed error            // of the file system: a part of a line may be lost

	long, decoded []byte // buffers
}

// errBadLine is wrapped by the errors of [lineReader.next] after which the next
// line can be read.
var errBadLine = errors.New("bad line")

// badLineProblem returns what an error that wraps errBadLine says.
func badLineProblem(err error) string {
	return strings.TrimPrefix(err.Error(), errBadLine.Error()+": ")
}

func newLineReader(file *os.File, limit int, table *charmap.Charmap) *lineReader {
	return &lineReader{file: file, in: bufio.NewReaderSize(file, 64<<10), limit: limit, table: table}
}

// seek makes next return the line at an offset. number is that of the line
// before it.
func (l *lineReader) seek(offset, number int64) error {
	if _, err := l.file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	l.in.Reset(l.file)
	l.offset, l.number = offset, number
	return nil
}

// next returns the next line in UTF-8, without its end. It is valid until the
// next call. At the end of the file, the error is io.EOF.
func (l *lineReader) next() ([]byte, error) {
	first := l.offset == 0
	line, err := l.readLine()
	if err != nil {
		return nil, err
	}
	if l.table != nil {
		return l.decode(line), nil
	}
	if first {
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	if !utf8.Valid(line) {
		return nil, fmt.Errorf("%w: want UTF-8; other encodings need the property encoding", errBadLine)
	}
	return line, nil
}

var byteOrderMark = []byte("\ufeff")

// readLine returns the bytes of the next line without its end. It keeps no more
// than limit bytes of it, but reads it whole.
func (l *lineReader) readLine() ([]byte, error) {
	if l.failed != nil {
		return nil, l.failed
	}
	line, err := l.in.ReadSlice('\n')
	length := len(line)
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.in.ReadSlice('\n')
			length += len(line)
			if len(l.long) <= l.limit {
				l.long = append(l.long, line...)
			}
		}
		line = l.long
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		l.failed = fmt.Errorf("read %s after byte %d: %w", l.file.Name(), l.offset, err)
		return nil, l.failed
	case length == 0:
		return nil, io.EOF
	}
	l.offset += int64(length)
	l.number++
	text := bytes.TrimSuffix(line, []byte("\n"))
	if text = bytes.TrimSuffix(text, []byte("\r")); len(text) > l.limit || len(line) < length {
		return nil, fmt.Errorf("%w: want at most %d bytes (property line_bytes)", errBadLine, l.limit)
	}
	l.end = line[len(text):]
	return text, nil
}

// decode returns a line in UTF-8.
func (l *lineReader) decode(line []byte) []byte {
	l.decoded = l.decoded[:0]
	for _, b := range line {
		if b < utf8.RuneSelf {
			l.decoded = append(l.decoded, b)
		} else {
			l.decoded = utf8.AppendRune(l.decoded, l.table.DecodeByte(b))
		}
	}
	return l.decoded
}
