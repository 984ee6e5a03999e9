package bus

import (
	"bytes"
	"cmp"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Store keeps values of one type in one KV bucket. Every write is a
// compare-and-set.
type Store[T any] struct {
	kv       jetstream.KeyValue
	pub      publisher
	tolerant *slog.Logger // for values that List and Watch skip; nil: they skip none
}

// publisher is a [jetio.Publisher] or a [jetio.Batcher].
type publisher interface {
	Publish(m *nats.Msg, filter string, expect int64, done func(seq uint64, err error))
}

// Entry is a value with the revision that a write must name.
type Entry[T any] struct {
	Key      string
	Value    T
	Revision uint64
	Time     time.Time // when it was written
}

// Tolerant returns a copy of s whose List and Watch log and skip values that
// cannot be decoded. Otherwise such a value is an error.
func (s *Store[T]) Tolerant(log *slog.Logger) *Store[T] { return &Store[T]{s.kv, s.pub, log} }

// KV returns the bucket itself, for operations that Store does not have.
func (s *Store[T]) KV() jetstream.KeyValue { return s.kv }

// Subject returns the subject of the key in the bucket's stream.
func (s *Store[T]) Subject(key string) string { return jetio.KeySubject(s.kv.Bucket(), key) }

// Get reads key from the leader, or returns an error that is [ErrNotFound].
func (s *Store[T]) Get(ctx context.Context, key string) (Entry[T], error) {
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	e, err := s.kv.Get(ctx, key)
	if err != nil {
		return Entry[T]{}, s.wrapError("get", key, err)
	}
	return s.decodeEntry(e)
}

// Create writes v if key does not exist, or returns an error that is
// [ErrExists].
func (s *Store[T]) Create(ctx context.Context, key string, v T, opts ...jetstream.KVCreateOpt) (uint64, error) {
	b, err := encodeJSON(v)
	if err != nil {
		return 0, s.wrapError("encode", key, err)
	}
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	rev, err := retryUndecided(ctx, func() (uint64, error) { return s.kv.Create(ctx, key, b, opts...) })
	if err != nil {
		return 0, s.wrapError("create", key, err)
	}
	s.NoteChange(ctx, key, 0, rev)
	return rev, nil
}

// Update writes v if key is still at revision rev, or returns an error that is
// [ErrChanged].
func (s *Store[T]) Update(ctx context.Context, key string, v T, rev uint64) (uint64, error) {
	b, err := encodeJSON(v)
	if err != nil {
		return 0, s.wrapError("encode", key, err)
	}
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	is, err := retryUndecided(ctx, func() (uint64, error) { return s.kv.Update(ctx, key, b, rev) })
	if err != nil {
		return 0, s.wrapError("update", key, err)
	}
	s.NoteChange(ctx, key, rev, is)
	return is, nil
}

// Change reads key, lets do decide on its new value, and writes that value by
// compare-and-set. It starts again if another writer came first. The argument
// of do is nil if the key does not exist. If do returns nil, nothing is
// written. Change returns the entry as it is then; its revision is 0 if the key
// does not exist.
func (s *Store[T]) Change(ctx context.Context, key string, do func(was *T) (*T, error)) (Entry[T], error) {
	return s.ChangeEntry(ctx, key, func(was *Entry[T]) (*T, error) {
		if was == nil {
			return do(nil)
		}
		return do(&was.Value)
	})
}

// ChangeEntry is [Store.Change] for a decision that depends on the revision
// too.
func (s *Store[T]) ChangeEntry(ctx context.Context, key string, do func(was *Entry[T]) (*T, error)) (Entry[T], error) {
	for {
		was, err := s.Get(ctx, key)
		none := errors.Is(err, ErrNotFound)
		if err != nil && !none {
			return was, err
		}
		arg := new(was)
		if none {
			arg = nil
		}
		v, err := do(arg)
		if v == nil || err != nil {
			return was, err
		}
		is := Entry[T]{Key: key, Value: *v}
		if none {
			is.Revision, err = s.Create(ctx, key, *v)
		} else {
			is.Revision, err = s.Update(ctx, key, *v, was.Revision)
		}
		if !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists) {
			return is, err
		}
	}
}

// Message returns the message that stores v under key, or, if v is nil, the
// message that deletes key. It is for writes of several keys at once.
func (s *Store[T]) Message(key string, v *T) (*nats.Msg, error) {
	m := &nats.Msg{Subject: s.Subject(key), Header: nats.Header{}}
	if v == nil {
		m.Header.Set("KV-Operation", "DEL")
		return m, nil
	}
	data, err := encodeJSON(v)
	if err != nil {
		return nil, s.wrapError("encode", key, err)
	}
	m.Data = data
	return m, nil
}

// Delete removes key if it is still at revision rev, or returns an error that
// is [ErrChanged]. The deletion marker informs watchers.
func (s *Store[T]) Delete(ctx context.Context, key string, rev uint64) error {
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	if _, err := retryUndecided(ctx, func() (uint64, error) { return 0, s.kv.Delete(ctx, key, jetstream.LastRevision(rev)) }); err != nil {
		return s.wrapError("delete", key, err)
	}
	s.NoteChange(ctx, key, rev, 0)
	return nil
}

// DeleteAt removes key if rev is the newest revision in the whole bucket,
// including deletion markers, or returns an error that is [ErrChanged]. It is
// for decisions that depend on other keys too.
func (s *Store[T]) DeleteAt(ctx context.Context, key string, rev uint64) (uint64, error) {
	return s.publishAtRevision(ctx, "delete", key, nil, rev)
}

// UpdateAt writes v under the condition of [Store.DeleteAt].
func (s *Store[T]) UpdateAt(ctx context.Context, key string, v T, rev uint64) (uint64, error) {
	return s.publishAtRevision(ctx, "update", key, &v, rev)
}

// publishAtRevision stores v, or deletes key if v is nil, if rev is the newest
// revision in the bucket.
func (s *Store[T]) publishAtRevision(ctx context.Context, verb, key string, v *T, rev uint64) (uint64, error) {
	m, err := s.Message(key, v)
	if err != nil {
		return 0, err
	}
	before, err := s.recordedRevision(ctx, key)
	if err != nil {
		return 0, err
	}
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	rev, err = jetio.Await(ctx, func(done func(uint64, error)) { s.pub.Publish(m, s.Subject(">"), int64(rev), done) })
	if err != nil {
		return 0, s.wrapError(verb, key, err)
	}
	after := rev
	if v == nil {
		after = 0
	}
	s.NoteChange(ctx, key, before, after)
	return rev, nil
}

// recordedRevision returns the revision of key if ctx records writes, else 0. It
// is the revision before a write that then succeeds under the condition of
// [Store.DeleteAt]: nothing in the bucket has changed since the caller read.
func (s *Store[T]) recordedRevision(ctx context.Context, key string) (uint64, error) {
	if !s.isRecorded(ctx) {
		return 0, nil
	}
	e, err := s.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return e.Revision, err
}

// Purge removes key with its history if it is still at revision rev. The marker
// expires after ttl.
func (s *Store[T]) Purge(ctx context.Context, key string, rev uint64, ttl time.Duration) error {
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	_, err := retryUndecided(ctx, func() (uint64, error) {
		return 0, s.kv.Purge(ctx, key, jetstream.LastRevision(rev), jetstream.PurgeTTL(ttl))
	})
	if err != nil {
		return s.wrapError("purge", key, err)
	}
	s.NoteChange(ctx, key, rev, 0)
	return nil
}

// retryUndecided repeats a write while the cluster cannot decide it, because
// another write of the key is being stored.
func retryUndecided(ctx context.Context, send func() (uint64, error)) (uint64, error) {
	for {
		rev, err := send()
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != subjects.AnotherInFlight {
			return rev, err
		}
		select {
		case <-time.After(jetio.RetryDelay):
		case <-ctx.Done():
			return rev, err
		}
	}
}

// Write writes v if key is at revision rev (0: never written) and calls done
// once, from a goroutine that done must not block. Unlike Create it fails if
// the key has a deletion marker.
func (s *Store[T]) Write(key string, v T, rev uint64, done func(rev uint64, err error)) {
	b, err := encodeJSON(v)
	if err != nil {
		done(0, s.wrapError("encode", key, err))
		return
	}
	subject := s.Subject(key)
	s.pub.Publish(&nats.Msg{Subject: subject, Data: b}, subject, int64(rev), func(rev uint64, err error) {
		if err != nil {
			err = s.wrapError("write", key, err)
		}
		done(rev, err)
	})
}

// List reads the values of all keys that match filter, such as "default.*"; ">"
// matches all keys.
func (s *Store[T]) List(ctx context.Context, filter string) ([]Entry[T], error) {
	var all []Entry[T]
	err := s.readEntries(ctx, filter, func(e jetstream.KeyValueEntry) error {
		v, err := s.decodeEntry(e)
		switch {
		case err == nil:
			all = append(all, v)
		case !s.skipInvalid(err):
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Keys returns all keys that match filter, in no particular order. It reads no
// values.
func (s *Store[T]) Keys(ctx context.Context, filter string) ([]string, error) {
	var all []string
	err := s.readEntries(ctx, filter, func(e jetstream.KeyValueEntry) error {
		all = append(all, e.Key())
		return nil
	}, jetstream.MetaOnly())
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readEntries calls each for all keys that match filter.
func (s *Store[T]) readEntries(ctx context.Context, filter string, each func(jetstream.KeyValueEntry) error, opts ...jetstream.WatchOpt) error {
	w, err := s.kv.Watch(ctx, filter, append(opts, jetstream.IgnoreDeletes())...)
	if err != nil {
		return s.wrapError("list", filter, err)
	}
	defer w.Stop() //nolint:errcheck // the connection is gone then, and so is the watcher
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok: // the end of the connection, or of ctx
				return s.wrapError("list", filter, cmp.Or(ctx.Err(), ErrAway))
			case e == nil:
				return nil
			}
			if err := each(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return s.wrapError("list", filter, ctx.Err())
		}
	}
}

// Watch calls put for every existing key, then filled, then put for every
// change, until ctx ends. For a deleted key v is nil.
func (s *Store[T]) Watch(ctx context.Context, put func(key string, v *T, rev uint64), filled func()) error {
	return s.WatchKeys(ctx, ">", put, filled)
}

// WatchKeys is Watch for the keys that match filter, such as "*": keys without
// a dot.
func (s *Store[T]) WatchKeys(ctx context.Context, filter string, put func(key string, v *T, rev uint64), filled func()) error {
	w, err := s.kv.Watch(ctx, filter)
	if err != nil {
		return s.wrapError("watch", filter, err)
	}
	defer w.Stop() //nolint:errcheck // the connection is gone then, and so is the watcher
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok && ctx.Err() != nil: // the end of ctx closes the channel, too
				return nil
			case !ok:
				return s.wrapError("watch", filter, ErrAway)
			case e == nil:
				filled()
			case e.Operation() != jetstream.KeyValuePut:
				put(e.Key(), nil, e.Revision())
			default:
				v, err := s.decodeEntry(e)
				switch {
				case err == nil:
					put(v.Key, &v.Value, v.Revision)
				case !s.skipInvalid(err):
					return err
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Store[T]) skipInvalid(err error) bool {
	if s.tolerant != nil {
		s.tolerant.Error("unreadable value skipped", "err", err)
	}
	return s.tolerant != nil
}

// RetryWatch calls watch until ctx ends, and again a second after it has ended
// because NATS was away. It returns any other error of watch.
func RetryWatch(ctx context.Context, watch func() error) error {
	for {
		err := watch()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, ErrAway) {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Store[T]) decodeEntry(e jetstream.KeyValueEntry) (Entry[T], error) {
	r := Entry[T]{Key: e.Key(), Revision: e.Revision(), Time: e.Created()}
	if err := decodeJSON(e.Value(), &r.Value); err != nil {
		return r, s.wrapError("decode", e.Key(), err)
	}
	return r, nil
}

// wrapError adds the operation and the key to err, and translates the broker's
// error into one of ours.
func (s *Store[T]) wrapError(verb, key string, err error) error {
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		err = ErrNotFound
	case errors.Is(err, jetstream.ErrKeyRevisionMismatch): // first, since it also is an ErrKeyExists
		err = ErrChanged
	case errors.Is(err, jetstream.ErrKeyExists):
		err = ErrExists
	case jetio.IsFull(err):
		err = fmt.Errorf("%w: %w", ErrFull, err)
	case jetio.IsAway(err):
		err = fmt.Errorf("%w: %w", ErrAway, err)
	}
	return fmt.Errorf("%s %s/%s: %w", verb, s.kv.Bucket(), key, err)
}

// decodeJSON decodes a stored value. It is twice as fast as encoding/json;
// decoding results and records is a tenth of the bus's work. It replaces
// invalid UTF-8 instead of refusing it, since the bus must read every result of
// an agent.
func decodeJSON(data []byte, v any) error {
	return json.Unmarshal(data, v, jsontext.AllowInvalidUTF8(true))
}

// encodeJSON encodes a value to be stored. It does not escape < and > as
// encoding/json does by default: definitions have markup in properties, and six
// bytes for each character would bring a large definition over the server's
// limit.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := stdjson.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
