package objects

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

// Config configures a [Store].
type Config struct {
	NC   *nats.Conn
	JS   jetstream.JetStream
	Pub  *jetio.Publisher // on the same connection
	Name string           // of the object store, whose stream exists
	Log  *slog.Logger     // default: none
}

// Store is one JetStream object store.
type Store struct {
	cfg     Config
	stream  jetstream.Stream
	chunk   int       // bytes
	buffers sync.Pool // of a chunk each
}

// Object is the metadata of an object. ModTime is when it was stored or last
// touched.
type Object struct {
	jetstream.ObjectInfo
	Revision uint64
}

// ErrContent means that the content does not match the SHA-256 in its name.
var ErrContent = errors.New("the content does not have the SHA-256 in its name")

// TouchAge is the age below which Touch does nothing. The minimum age of an
// unreferenced object before a sweep may delete it must be much larger.
const TouchAge = 10 * time.Minute

const (
	maxChunk   = 512 << 10 // bytes; each chunk costs an acknowledgement, and with sync always a sync
	chunksSent = 4         // in flight; more would fill the server's memory, not its disk
)

func (s *Store) wrapError(verb, name string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", verb, s.cfg.Name, name, err)
}

// Open returns a Store on an existing object store.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	stream, err := cfg.JS.Stream(ctx, jetio.ObjectStream(cfg.Name))
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", cfg.Name, err)
	}
	s := &Store{cfg: cfg, stream: stream, chunk: min(maxChunk, int(cfg.NC.MaxPayload()/2))}
	s.buffers.New = func() any { buf := make([]byte, s.chunk); return &buf }
	return s, nil
}

// Stat reads an object's metadata from the leader, or returns an error that is
// [jetio.ErrNotFound].
func (s *Store) Stat(ctx context.Context, name string) (*Object, error) {
	obj, err := s.lastMeta(ctx, name)
	if err == nil && obj.Deleted {
		err = s.wrapError("find", name, jetio.ErrNotFound)
	}
	return obj, err
}

// lastMeta reads the newest metadata of a name, which may be that of a removed
// object.
func (s *Store) lastMeta(ctx context.Context, name string) (*Object, error) {
	m, err := jetio.ReadLast(ctx, s.cfg.NC, jetio.ObjectStream(s.cfg.Name), jetio.MetaSubject(s.cfg.Name, name))
	if err != nil {
		return &Object{}, s.wrapError("find", name, err)
	}
	return decodeObject(m)
}

func decodeObject(m *jetio.StoredMessage) (*Object, error) {
	obj := &Object{Revision: m.Sequence}
	if err := json.Unmarshal(m.Data, &obj.ObjectInfo); err != nil {
		return obj, fmt.Errorf("decode the object on %s: %w", m.Subject, err)
	}
	obj.ModTime = m.Time
	return obj, nil
}

// Create stores the content of r under meta.Name. If the object exists, Create
// touches it, and created is false. The error is an [ErrContent] if the content
// does not match the name. After any error but [jetio.ErrUnknown], nothing of
// this call is stored.
func (s *Store) Create(ctx context.Context, meta jetstream.ObjectMeta, r io.Reader) (obj *Object, created bool, err error) {
	if obj, err = s.Touch(ctx, meta.Name); !errors.Is(err, jetio.ErrNotFound) {
		return obj, false, err
	}
	meta.Opts = &jetstream.ObjectMetaOptions{ChunkSize: uint32(s.chunk)}
	own := nuid.Next()
	obj = &Object{ObjectInfo: jetstream.ObjectInfo{ObjectMeta: meta, Bucket: s.cfg.Name, NUID: own}}
	if err = s.writeChunks(ctx, obj, r); err == nil {
		created, err = s.publishMeta(ctx, obj)
	} else if errors.Is(err, jetio.ErrUnknown) {
		// The outcome of a chunk, which means nothing without metadata.
		err = fmt.Errorf("%w: %v", jetio.ErrAway, err) //nolint:errorlint // the outcome is known
	}
	if !created && !errors.Is(err, jetio.ErrUnknown) {
		s.dropChunks(ctx, own)
	}
	if err != nil {
		return nil, false, s.wrapError("store", meta.Name, err)
	}
	return obj, created, nil
}

// publishMeta writes the metadata, which makes the object exist, or returns the
// metadata that another writer has stored.
func (s *Store) publishMeta(ctx context.Context, obj *Object) (created bool, err error) {
	for {
		was, err := s.lastMeta(ctx, obj.Name)
		if err != nil && !errors.Is(err, jetio.ErrNotFound) {
			return false, err
		}
		if err == nil && !was.Deleted {
			*obj = *was
			return false, nil
		}
		if err = s.writeMeta(ctx, obj, was.Revision); !errors.Is(err, jetio.ErrChanged) {
			return err == nil, err
		}
	}
}

// writeMeta writes the metadata if the object is at revision rev. After an
// unknown outcome or a refusal it reads the metadata again: if it is the same
// as its own, the write has succeeded, whoever made it.
func (s *Store) writeMeta(ctx context.Context, obj *Object, rev uint64) error {
	info := obj.ObjectInfo
	info.ModTime = time.Time{}
	data, err := json.Marshal(&info)
	if err != nil {
		return err
	}
	for {
		m := &nats.Msg{Subject: jetio.MetaSubject(s.cfg.Name, obj.Name), Data: data, Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}}}
		seq, err := s.cfg.Pub.Do(ctx, m, m.Subject, int64(rev))
		if err == nil {
			obj.Revision, obj.ModTime = seq, time.Now()
			return nil
		}
		if !errors.Is(err, jetio.ErrUnknown) && !errors.Is(err, jetio.ErrChanged) || ctx.Err() != nil {
			return err
		}
		last, lerr := s.lastMeta(ctx, obj.Name)
		if lerr == nil && last.Revision > rev && last.NUID == obj.NUID && last.Deleted == obj.Deleted {
			*obj = *last
			return nil
		}
		if errors.Is(err, jetio.ErrChanged) {
			return err
		}
	}
}

// Touch sets the time of an object to now, unless it is younger than
// [TouchAge], so that no sweep removes it as old. The error is
// [jetio.ErrNotFound] if there is none.
func (s *Store) Touch(ctx context.Context, name string) (*Object, error) {
	for {
		obj, err := s.Stat(ctx, name)
		if err != nil || time.Since(obj.ModTime) < TouchAge {
			return obj, err
		}
		if err = s.writeMeta(ctx, obj, obj.Revision); !errors.Is(err, jetio.ErrChanged) {
			if err != nil {
				err = s.wrapError("touch", name, err)
			}
			return obj, err
		}
	}
}

// digestOf returns a SHA-256 in the form of the object store.
func digestOf(sum []byte) string { return "SHA-256=" + base64.URLEncoding.EncodeToString(sum) }

// writeChunks sends the chunks and waits until they are stored.
func (s *Store) writeChunks(ctx context.Context, obj *Object, r io.Reader) error {
	w := window{pub: s.cfg.Pub, free: make(chan struct{}, chunksSent)}
	h, buf := sha256.New(), *s.buffers.Get().(*[]byte)
	defer s.buffers.Put(&buf)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			h.Write(buf[:n])
			if err := w.send(ctx, jetio.ChunkSubject(s.cfg.Name, obj.NUID), buf[:n]); err != nil {
				return err
			}
			obj.Chunks++
			obj.Size += uint64(n)
		}
		if err == nil {
			continue
		}
		stored := w.wait()
		switch {
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return err
		case stored != nil:
			return stored
		case hex.EncodeToString(h.Sum(nil)) != obj.Name:
			return ErrContent
		}
		obj.Digest = digestOf(h.Sum(nil))
		return nil
	}
}

// dropChunks purges the chunks of an object that does not exist. If it fails,
// [Store.Clean] does it later.
func (s *Store) dropChunks(ctx context.Context, nuid string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jetio.AckTimeout)
	defer cancel()
	if err := s.stream.Purge(ctx, jetstream.WithPurgeSubject(jetio.ChunkSubject(s.cfg.Name, nuid))); err != nil {
		s.cfg.Log.Debug("chunks of an unfinished object not removed, a later sweep retries", "err", err)
	}
}
