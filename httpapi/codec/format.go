package codec

import (
	"errors"
	"io"
	"mime"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Format is a format of bodies. One reader reads all of them: bodies in other
// formats are converted to JSON first.
type Format struct {
	Media   string   // the type of bodies and answers
	aliases []string // other names of it
	Problem string   // the type of problems
	Form    jsl.Format
	Write   func(w io.Writer, v any) error
	Charset string // of a body, if its Content-Type has one
}

// Formats are all formats, the preferred ones first.
var Formats = []Format{
	{"application/json", nil, "application/problem+json", jsl.JSON, WriteJSON, ""},
	{"application/edn", nil, "application/edn", jsl.EDN, writeEDN, ""},
	{"application/yaml", []string{"application/x-yaml", "text/yaml", "text/x-yaml"}, "application/yaml", jsl.YAML, writeYAML, ""},
	// XML is for jobs only.
	{"application/xml", []string{"text/xml"}, "application/problem+json", jsl.XML, writeXML, ""},
}

// JSON and EDN are the formats of answers to clients that accept any.
var (
	JSON = &Formats[0]
	EDN  = &Formats[1]
)

// Is reports whether media is a name of the format.
func (f *Format) Is(media string) bool { return media == f.Media || slices.Contains(f.aliases, media) }

// BodyReader is a value that reads its body itself, in any format.
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

// AsMalformed turns err into a [MalformedError] if the text is not in the
// format at all. A text in the format that is no job is another fault.
func (f *Format) AsMalformed(err error) error {
	var errs jsl.Errors
	if errors.As(err, &errs) && errs[0].Want == f.Form.WantSyntax() {
		return &MalformedError{FaultsOf(errs)[0]}
	}
	return err
}

// ForBody returns the format of a body. The default is JSON.
func ForBody(contentType, encoding string) (*Format, error) {
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &MediaTypeError{"Content-Encoding", encoding, "no content encoding"}
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
			want = "a known charset such as utf-8, utf-16, shift_jis, windows-31j, euc-jp or iso-8859-1"
		}
	}
	if media == "application/x-www-form-urlencoded" {
		want += " (with curl: --json in place of -d)"
	}
	return nil, &MediaTypeError{"Content-Type", contentType, want}
}

// MediaTypes returns the media types of bodies, for messages.
func MediaTypes() string {
	var all []string
	for i := range Formats {
		all = append(all, Formats[i].Media)
	}
	return strings.Join(all, ", ")
}
