package codec

import (
	"errors"
	"io"
	"mime"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Format is a way to write values. A body in another format is turned into the
// JSON that it stands for, so that one reader judges all of them.
type Format struct {
	Media   string   // the type of bodies and answers
	aliases []string // other names of it
	Problem string   // the type of problems
	Form    jsl.Format
	Write   func(w io.Writer, v any) error
	Charset string // of a body, if its Content-Type has one
}

// Formats in the order of our preference.
var Formats = []Format{
	{"application/json", nil, "application/problem+json", jsl.JSON, WriteJSON, ""},
	{"application/edn", nil, "application/edn", jsl.EDN, writeEDN, ""},
	{"application/yaml", []string{"application/x-yaml", "text/yaml", "text/x-yaml"}, "application/yaml", jsl.YAML, writeYAML, ""},
	{"application/xml", []string{"text/xml"}, "application/problem+json", jsl.XML, writeXML, ""}, // of jobs only
}

// The formats that a client may have without asking for them by name.
var (
	JSON = &Formats[0]
	EDN  = &Formats[1]
)

// Is reports whether media is a name of the format.
func (f *Format) Is(media string) bool { return media == f.Media || slices.Contains(f.aliases, media) }

// BodyReader is a value that reads a body of any format itself.
type BodyReader interface {
	ReadBody(f *Format, data []byte) error
}

// Read reads a body into v, a [BodyReader] or a pointer to a struct of package
// rest. In EDN, an unknown keyword is no fault if ignores returns true. The
// error is a [Faults], a [jsl.Errors] or a [MalformedError].
func (f *Format) Read(data []byte, v any, ignores func(keyword string) bool) error {
	if own, ok := v.(BodyReader); ok {
		return own.ReadBody(f, data)
	}
	if f.Form == jsl.JSON {
		return ReadJSON(data, v)
	}
	data, err := jsl.ToJSON(f.Form, data)
	var errs jsl.Errors
	if errors.As(err, &errs) {
		return &MalformedError{FaultsOf(errs)[0]}
	}
	if err != nil {
		return err
	}
	if f.Form == jsl.EDN {
		return ReadEDN(data, v, ignores)
	}
	return ReadJSON(data, v)
}

// AsMalformed returns err, as a [MalformedError] if the text is not in the
// format at all. That is another fault than a text that is no job.
func (f *Format) AsMalformed(err error) error {
	var errs jsl.Errors
	if errors.As(err, &errs) && errs[0].Want == strings.ToUpper(string(f.Form)) {
		return &MalformedError{FaultsOf(errs)[0]}
	}
	return err
}

// ForBody returns the format of a body. Without a Content-Type it is the first.
func ForBody(contentType, encoding string) (*Format, error) {
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &MediaTypeError{"Content-Encoding", encoding, "no encoding"}
	}
	if contentType == "" || contentType == JSON.Media {
		return JSON, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	want := MediaTypes()
	for i := range Formats {
		f := Formats[i]
		if err != nil || !f.Is(media) {
			continue
		}
		f.Charset = params["charset"]
		switch {
		case f.Charset == "" || strings.EqualFold(f.Charset, "utf-8"), f.Form == jsl.XML && jsl.KnownEncoding(f.Charset):
			return &f, nil
		case f.Form == jsl.XML:
			want = "a charset that is known, such as utf-8, utf-16, shift_jis, windows-31j, euc-jp or iso-8859-1"
		}
	}
	if media == "application/x-www-form-urlencoded" {
		want += " (with curl: --json in place of -d)"
	}
	return nil, &MediaTypeError{"Content-Type", contentType, want}
}

// MediaTypes returns the types of bodies, for messages.
func MediaTypes() string {
	var all []string
	for i := range Formats {
		all = append(all, Formats[i].Media)
	}
	return strings.Join(all, ", ")
}
