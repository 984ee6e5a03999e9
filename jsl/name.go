package jsl

import (
	"regexp"
	"unicode/utf8"
)

// MaxID is the maximum length of a job's id in characters.
const MaxID = 128

// WantID describes a valid job id, for error messages.
const WantID = "an XML NCName of 1 to 128 characters: letters, digits, . - _, beginning with a letter or _ (or with a digit or -, if it has only A-Z a-z 0-9 _ -)"

const wantPool = "1 to 128 characters from A-Z a-z 0-9 _ -"

// namePattern matches what may be a part of a NATS subject and of a KV key.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// ncName is NCName of Namespaces in XML 1.0 section 3: the Name of XML 1.0
// section 2.3, fifth edition, without the colon. In the XML of JSR-352 the id
// of a job is an xs:ID, which is one.
var ncName = func() *regexp.Regexp {
	const start = `A-Z_a-z\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{2FF}\x{370}-\x{37D}\x{37F}-\x{1FFF}\x{200C}-\x{200D}\x{2070}-\x{218F}` +
		`\x{2C00}-\x{2FEF}\x{3001}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFFD}\x{10000}-\x{EFFFF}`
	return regexp.MustCompile(`^[` + start + `][` + start + `.0-9\-\x{B7}\x{300}-\x{36F}\x{203F}-\x{2040}]*$`)
}()

// ValidID reports whether a job may have that id. It may be any XML NCName. It
// may also be any 1 to 128 characters from A-Z a-z 0-9 _ -, which was the
// rule before.
func ValidID(id string) bool {
	return namePattern.MatchString(id) || utf8.ValidString(id) && utf8.RuneCountInString(id) <= MaxID && ncName.MatchString(id)
}
