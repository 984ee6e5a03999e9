package httpapi

import (
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// format is a way to write values. Bodies of another format are turned into the JSON that they stand for, so that
// one reader judges them all.
type format struct {
	media   string // of bodies and answers
	problem string // of problems
	write   func(w io.Writer, v any) error
	toJSON  func(data []byte) ([]byte, error) // nil: it is JSON
	job     func(data []byte) (*jsl.Job, error)
}

// formats in the order of our preference.
var formats = []format{
	{media: "application/json", problem: "application/problem+json", write: writeJSON, job: parseJob},
}

// read reads a body into v, a *jsl.Job or a pointer to a struct of package rest. Its error is a [faults] or a malformedError.
func (f *format) read(data []byte, v any) error {
	if job, ok := v.(*jsl.Job); ok {
		j, err := f.job(data)
		if err != nil {
			return err
		}
		*job = *j
		return nil
	}
	if f.toJSON != nil {
		var err error
		if data, err = f.toJSON(data); err != nil {
			return err
		}
	}
	return readJSON(data, v)
}

// formatOf is the format of a body. Without a type it is our first.
func formatOf(contentType, encoding string) (*format, error) {
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &mediaTypeError{"Content-Encoding", encoding, "no encoding"}
	}
	if contentType == "" || contentType == formats[0].media {
		return &formats[0], nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	for i := range formats {
		if charset := params["charset"]; err == nil && media == formats[i].media && (charset == "" || strings.EqualFold(charset, "utf-8")) {
			return &formats[i], nil
		}
	}
	want := mediaTypes()
	if media == "application/x-www-form-urlencoded" {
		want += " (with curl: --json in place of -d)"
	}
	return nil, &mediaTypeError{"Content-Type", contentType, want}
}

func mediaTypes() string {
	var all []string
	for i := range formats {
		all = append(all, formats[i].media)
	}
	return strings.Join(all, ", ")
}

// mediaTypeError says that a body is in a format that we do not read.
type mediaTypeError struct{ header, got, want string }

func (e *mediaTypeError) Error() string {
	return fmt.Sprintf("%s: want %s, got %s", e.header, e.want, cut(e.got))
}

// negotiate finds the format that accept likes best (RFC 9110 section 12.5.1), ours first among equals. It is our first
// with ok false if it likes none.
func negotiate(accept string) (best *format, ok bool) {
	if accept == "" || accept == "*/*" || accept == formats[0].media {
		return &formats[0], true
	}
	best, top := &formats[0], 0.0
	for i := range formats {
		if q := max(quality(accept, formats[i].media), quality(accept, formats[i].problem)); q > top {
			best, top = &formats[i], q
		}
	}
	return best, top > 0
}

// quality is how much accept likes a media type, by the most specific range that it is in.
func quality(accept, media string) float64 {
	kind, _, _ := strings.Cut(media, "/")
	q, specific := 0.0, 0
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		rank := 0
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case media:
			rank = 3
		case kind + "/*":
			rank = 2
		case "*/*", "*": // Java's default says the latter
			rank = 1
		}
		if rank > specific {
			specific, q = rank, weight(params)
		}
	}
	return q
}

func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}
