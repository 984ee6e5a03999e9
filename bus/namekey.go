package bus

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job's name is data: any XML NCName. What is kept under it needs a key that
// is one token of a subject. A name that is a token is its own key. Of another
// one a key is made:
//
//	nightly      nightly
//	chunk-2.0    chunk-2_0--je5sjwrl7nwsmxio3eeip3lmzb
//	夜間バッチ     _--m6dfumijsbtyhklfyouf7qooxw
//
// No two names have the same key:
//
//   - Two names that are their own keys differ.
//   - Two made keys differ as the first 130 bits of SHA-256 of their names do.
//   - A made key and a name that is its own key differ, because no job is given a
//     name that ends as made keys do. One that was named so by an earlier version
//     keeps its name; a name whose key that is would be refused as taken.
const (
	maxReadable = 60 // characters of the name in a made key
	hashLength  = 26 // base32 characters of its hash, 5 bits each
	hashMark    = "--"
)

var (
	unfit   = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	madeKey = regexp.MustCompile(hashMark + `[a-z2-7]{26}$`)
	base    = base32.StdEncoding.WithPadding(base32.NoPadding)
)

// NameKey returns the key that a job of that name is found by: the token of
// subjects, and the part of bucket keys, that a job which is made with that name
// keeps for ever.
func NameKey(name string) string {
	if subjects.ValidName(name) {
		return name
	}
	readable := unfit.ReplaceAllString(name, "_")
	hash := sha256.Sum256([]byte(name))
	return readable[:min(len(readable), maxReadable)] + hashMark + strings.ToLower(base.EncodeToString(hash[:]))[:hashLength]
}

// CheckJobName returns a [FieldError] if no job can be called that.
func CheckJobName(name string) error {
	want := ""
	switch {
	case !jsl.ValidID(name):
		want = jsl.WantID
	case subjects.ValidName(name) && madeKey.MatchString(name):
		want = "a name that does not end like the key of another name, in " + hashMark + " and 26 of the characters a-z 2-7"
	default:
		return nil
	}
	return &FieldError{Path: "/id", Want: want, Got: name}
}
