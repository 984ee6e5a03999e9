package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// format is a way to write values. Bodies of another format are turned into the JSON that they stand for, so that
// one reader judges them all.
type format struct {
	media   string   // of bodies and answers
	aliases []string // other names of it
	problem string   // of problems
	form    jsl.Format
	write   func(w io.Writer, v any) error
	charset string // of a body, if its Content-Type has one
}

// formats in the order of our preference.
var formats = []format{
	{"application/json", nil, "application/problem+json", jsl.JSON, writeJSON, ""},
	{"application/edn", nil, "application/edn", jsl.EDN, writeEDN, ""},
	{"application/yaml", []string{"application/x-yaml", "text/yaml", "text/x-yaml"}, "application/yaml", jsl.YAML, writeYAML, ""},
	{"application/xml", []string{"text/xml"}, "application/problem+json", jsl.XML, writeXML, ""}, // of jobs only
}

var inJSON, inEDN = &formats[0], &formats[1]

// of says whether media is a name of the format.
func (f *format) of(media string) bool { return media == f.media || slices.Contains(f.aliases, media) }

// read reads a body into v, a *sentJob or a pointer to a struct of package rest. Its error is a [faults], a [jsl.Errors] or a malformedError.
func (f *format) read(data []byte, v any) error {
	if job, ok := v.(*sentJob); ok {
		return f.readJob(data, job)
	}
	if f.form == jsl.JSON {
		return readJSON(data, v, false)
	}
	data, err := jsl.ToJSON(f.form, data)
	var errs jsl.Errors
	if errors.As(err, &errs) {
		return &malformedError{faultsOf(errs)[0]}
	}
	if err != nil {
		return err
	}
	return readJSON(data, v, f.form == jsl.EDN)
}

// malformed is err, as a malformedError if it is about the format itself: whether a text is in its format at all is
// another question than whether it is a job.
func (f *format) malformed(err error) error {
	var errs jsl.Errors
	if errors.As(err, &errs) && errs[0].Want == strings.ToUpper(string(f.form)) {
		return &malformedError{faultsOf(errs)[0]}
	}
	return err
}

// formatOf is the format of a body. Without a type it is our first.
func formatOf(contentType, encoding string) (*format, error) {
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &mediaTypeError{"Content-Encoding", encoding, "no encoding"}
	}
	if contentType == "" || contentType == inJSON.media {
		return inJSON, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	want := mediaTypes()
	for i := range formats {
		f := formats[i]
		if err != nil || !f.of(media) {
			continue
		}
		f.charset = params["charset"]
		switch {
		case f.charset == "" || strings.EqualFold(f.charset, "utf-8"), f.form == jsl.XML && jsl.KnownEncoding(f.charset):
			return &f, nil
		case f.form == jsl.XML:
			want = "a charset that is known, such as utf-8, utf-16, shift_jis, windows-31j, euc-jp or iso-8859-1"
		}
	}
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

// negotiate decides, for all routes, which format answers. It is what Accept names; if that names none of ours,
// EDN for the clients that know nothing else, and JSON for the others. ok is false if Accept likes none.
// XML there is for jobs only, and not for browsers, which take it before anything.
func negotiate(header func(string) string, path string, job bool) (f *format, ok bool) {
	accept := header("Accept")
	if accept == inJSON.media {
		return inJSON, true
	}
	of := formats
	if !job || strings.Contains(accept, "text/html") {
		of = formats[:len(formats)-1]
	}
	anything := accept == "" || accept == "*/*"
	for i, top := 0, 0.0; i < len(of) && !anything; i++ {
		if q := of[i].liked(accept, true); q > top {
			f, top = &of[i], q
		}
	}
	if f != nil {
		return f, true
	}
	f = inJSON
	if knowsOnlyEDN(header, path) {
		f = inEDN
	}
	if anything || f.liked(accept, false) > 0 {
		return f, true
	}
	for i := range of {
		if of[i].liked(accept, false) > 0 {
			return &of[i], true
		}
	}
	return f, false
}

// knowsOnlyEDN says whether a request, whose Accept names no format, is one of a client of the original control bus: its console and
// plugin send EDN, or nothing but the token or cookie that they got at login. Its editor has none where no login is needed.
func knowsOnlyEDN(header func(string) string, path string) bool {
	media, _, _ := strings.Cut(header("Content-Type"), ";")
	origin := header("Origin")
	return strings.EqualFold(strings.TrimSpace(media), inEDN.media) ||
		byToken(header("Authorization")) ||
		origin != "" && (strings.HasSuffix(path, "/batch-components") || strings.Contains(header("Cookie"), "ring-session=")) ||
		strings.HasSuffix(path, "/download")
}

// liked is how much accept likes the format; named: by its name.
func (f *format) liked(accept string, named bool) (q float64) {
	for _, media := range append([]string{f.media, f.problem}, f.aliases...) {
		if how, specific := quality(accept, media); !named || specific == 3 {
			q = max(q, how)
		}
	}
	return q
}

// quality is how much accept likes a media type, by the most specific range that it is in, 3 for its name.
func quality(accept, media string) (q float64, specific int) {
	kind, _, _ := strings.Cut(media, "/")
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
	return q, specific
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

// writeYAML writes a value as the YAML of its JSON.
func writeYAML(w io.Writer, v any) error {
	if done, err := writeJob(w, v, jsl.YAML); done {
		return err
	}
	var b bytes.Buffer
	err := writeJSON(&b, v)
	if err == nil {
		var text []byte
		if text, err = jsl.ToYAML(b.Bytes()); err == nil {
			_, err = w.Write(text)
		}
	}
	return err
}

// writeXML writes the job XML of a job, also of one in an answer with what became of it.
func writeXML(w io.Writer, v any) error {
	if j, ok := v.(rest.Job); ok {
		parsed, _ := jsl.Restore(j.Definition) // what of it is understood
		v = *parsed
	}
	if done, err := writeJob(w, v, jsl.XML); done {
		return err
	}
	return fmt.Errorf("no XML for %T", v)
}

// writeJob writes a definition, if v is one.
func writeJob(w io.Writer, v any, f jsl.Format) (done bool, err error) {
	var text []byte
	switch v := v.(type) {
	case jsl.Job:
		text, err = v.Format(f)
	case jobFile:
		text, err = v.job.FormatFile(f, v.beside)
	default:
		return false, nil
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return true, err
}
