package bus

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Job reads the job with this permanent key from the leader, or returns an
// error that is [ErrNotFound].
func (b *Bus) Job(ctx context.Context, app, key string) (Entry[Job], error) {
	e, err := b.JobsEntry(ctx, app, key)
	if err == nil && e.Value.Definition == nil {
		err = fmt.Errorf("get job %s: %w", JobKey(app, key), ErrNotFound)
	}
	return e, err
}

// JobNamed is [Bus.Job] by the present name of the job.
func (b *Bus) JobNamed(ctx context.Context, app, name string) (Entry[Job], error) {
	at, err := b.JobsEntry(ctx, app, NameKey(name))
	if err == nil && at.Value.Name != name && at.Value.NameOf != "" {
		at, err = b.JobsEntry(ctx, app, at.Value.NameOf)
	}
	if err == nil && at.Value.Name != name {
		err = fmt.Errorf("get job %s: %w", JobKey(app, name), ErrNotFound)
	}
	return at, err
}

// JobsEntry reads one entry of the bucket jobs, which may hold no job but only
// a NameOf. Package catalog describes the entries.
func (b *Bus) JobsEntry(ctx context.Context, app, key string) (Entry[Job], error) {
	e, err := b.Jobs.Get(ctx, JobKey(app, key))
	if e.Value.Definition != nil {
		e.Value.PermanentKey = key // earlier versions did not store it
	}
	return e, err
}

// The name of a job can be any XML NCName. The job's permanent key must be one
// token of a subject. A name that is such a token is its own key. The key of
// any other name is derived:
//
//	nightly      nightly
//	chunk-2.0    chunk-2_0--je5sjwrl7nwsmxio3eeip3lmzb
//	夜間バッチ     _--m6dfumijsbtyhklfyouf7qooxw
//
// No two names have the same key:
//
//   - Two names that are their own keys differ.
//   - Two derived keys differ as the first 130 bits of SHA-256 of their names do.
//   - A derived key and a name that is its own key differ, because the bus gives
//     no job a name that ends as derived keys do. A job that an earlier version
//     named so keeps its name; the name with that derived key is then taken.
const (
	maxReadable = 60 // characters of the name in a derived key
	hashLength  = 26 // base32 characters of its hash, 5 bits each
	hashMark    = "--"
)

var (
	unfit   = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	madeKey = regexp.MustCompile(hashMark + `[a-z2-7]{26}$`)
	base    = base32.StdEncoding.WithPadding(base32.NoPadding)
)

// NameKey returns the key of a job's name. A job that is created with the name
// has this key for ever, in subjects and in bucket keys.
func NameKey(name string) string {
	if subjects.ValidName(name) {
		return name
	}
	readable := unfit.ReplaceAllString(name, "_")
	hash := sha256.Sum256([]byte(name))
	return readable[:min(len(readable), maxReadable)] + hashMark + strings.ToLower(base.EncodeToString(hash[:]))[:hashLength]
}

// CheckJobName returns a [FieldError] if a job cannot have that name.
func CheckJobName(name string) error {
	want := ""
	switch {
	case !jsl.ValidID(name):
		want = jsl.WantID
	case subjects.ValidName(name) && madeKey.MatchString(name):
		want = "a name that does not end like the key of another name, with " + hashMark + " and 26 of the characters a-z 2-7"
	default:
		return nil
	}
	return &FieldError{Path: "/id", Want: want, Got: name}
}
