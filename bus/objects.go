package bus

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

// Objects keeps immutable content in one JetStream object store. The name of an
// object is the SHA-256 of its content.
//
//	chunks, few in flight --> all acknowledged --> meta, only if there is none --> the object exists
//
// Every NATS client can read the store, and so can `nats object`. The bus does
// not use the client library's own Put: it sends the metadata along with the
// chunks, and replaces what another writer has stored meanwhile, whose chunks
// then stay for ever. Here, a writer that dies leaves unreferenced chunks for
// [Objects.Clean], and the second of two writers of the same content finds that
// it exists.
type Objects struct {
	b       *Bus
	store   string
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
var ErrContent = errors.New("the content does not have the SHA-256 that it is named by")

// TouchAge is the age below which Touch does nothing. The minimum age of an
// unreferenced object before a sweep may delete it must be much larger.
const TouchAge = 10 * time.Minute

const (
	maxChunk   = 512 << 10 // bytes; each chunk costs an acknowledgement, and with sync always a sync
	chunksSent = 4         // in flight; more would fill the server's memory, not its disk
)

func (o *Objects) wrapError(verb, name string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", verb, o.store, name, err)
}

func openObjects(ctx context.Context, b *Bus, store string) (*Objects, error) {
	s, err := b.JS.Stream(ctx, jetio.ObjectStream(store))
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", store, err)
	}
	o := &Objects{b: b, store: store, stream: s, chunk: min(maxChunk, int(b.NC.MaxPayload()/2))}
	o.buffers.New = func() any { buf := make([]byte, o.chunk); return &buf }
	return o, nil
}

// Stat reads an object's metadata from the leader, or returns an error that is
// [ErrNotFound].
func (o *Objects) Stat(ctx context.Context, name string) (*Object, error) {
	obj, err := o.lastMeta(ctx, name)
	if err == nil && obj.Deleted {
		err = o.wrapError("look for", name, ErrNotFound)
	}
	return obj, err
}

// lastMeta reads the newest metadata of a name, which may be that of a removed
// object.
func (o *Objects) lastMeta(ctx context.Context, name string) (*Object, error) {
	m, err := jetio.ReadLast(ctx, o.b.NC, jetio.ObjectStream(o.store), jetio.MetaSubject(o.store, name))
	if err != nil {
		return &Object{}, o.wrapError("look for", name, err)
	}
	return decodeObject(m)
}

func decodeObject(m *jetio.StoredMessage) (*Object, error) {
	obj := &Object{Revision: m.Sequence}
	if err := json.Unmarshal(m.Data, &obj.ObjectInfo); err != nil {
		return obj, fmt.Errorf("object on %s: %w", m.Subject, err)
	}
	obj.ModTime = m.Time
	return obj, nil
}

// Create stores the content of r under meta.Name. If the object exists, Create
// touches it, and created is false. The error is an [ErrContent] if the content
// does not match the name. After any error but [ErrUnknown], nothing of this
// call is stored.
func (o *Objects) Create(ctx context.Context, meta jetstream.ObjectMeta, r io.Reader) (obj *Object, created bool, err error) {
	if obj, err = o.Touch(ctx, meta.Name); !errors.Is(err, ErrNotFound) {
		return obj, false, err
	}
	meta.Opts = &jetstream.ObjectMetaOptions{ChunkSize: uint32(o.chunk)}
	own := nuid.Next()
	obj = &Object{ObjectInfo: jetstream.ObjectInfo{ObjectMeta: meta, Bucket: o.store, NUID: own}}
	if err = o.writeChunks(ctx, obj, r); err == nil {
		created, err = o.publishMeta(ctx, obj)
	} else if errors.Is(err, ErrUnknown) { // the outcome of a chunk, which means nothing without metadata
		err = fmt.Errorf("%w: %v", ErrAway, err) //nolint:errorlint // the outcome is known
	}
	if !created && !errors.Is(err, ErrUnknown) {
		o.dropChunks(ctx, own)
	}
	if err != nil {
		return nil, false, o.wrapError("store", meta.Name, err)
	}
	return obj, created, nil
}

// publishMeta writes the metadata, which makes the object exist, or returns the
// metadata that another writer has stored.
func (o *Objects) publishMeta(ctx context.Context, obj *Object) (created bool, err error) {
	for {
		was, err := o.lastMeta(ctx, obj.Name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		if err == nil && !was.Deleted {
			*obj = *was
			return false, nil
		}
		if err = o.writeMeta(ctx, obj, was.Revision); !errors.Is(err, ErrChanged) {
			return err == nil, err
		}
	}
}

// writeMeta writes the metadata if the object is at revision rev. After an
// unknown outcome or a refusal it reads the metadata again: if it is the same
// as its own, the write has succeeded, whoever made it.
func (o *Objects) writeMeta(ctx context.Context, obj *Object, rev uint64) error {
	info := obj.ObjectInfo
	info.ModTime = time.Time{}
	data, err := json.Marshal(&info)
	if err != nil {
		return err
	}
	for {
		m := &nats.Msg{Subject: jetio.MetaSubject(o.store, obj.Name), Data: data, Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}}}
		seq, err := o.b.Pub.Do(ctx, m, m.Subject, int64(rev))
		if err == nil {
			obj.Revision, obj.ModTime = seq, time.Now()
			return nil
		}
		if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrChanged) || ctx.Err() != nil {
			return err
		}
		last, lerr := o.lastMeta(ctx, obj.Name)
		if lerr == nil && last.Revision > rev && last.NUID == obj.NUID && last.Deleted == obj.Deleted {
			*obj = *last
			return nil
		}
		if errors.Is(err, ErrChanged) {
			return err
		}
	}
}

// Touch sets the time of an object to now, unless it is younger than
// [TouchAge], so that no sweep removes it as old. The error is [ErrNotFound] if
// there is none.
func (o *Objects) Touch(ctx context.Context, name string) (*Object, error) {
	for {
		obj, err := o.Stat(ctx, name)
		if err != nil || time.Since(obj.ModTime) < TouchAge {
			return obj, err
		}
		if err = o.writeMeta(ctx, obj, obj.Revision); !errors.Is(err, ErrChanged) {
			if err != nil {
				err = o.wrapError("touch", name, err)
			}
			return obj, err
		}
	}
}

// digestOf returns a SHA-256 in the form of the object store.
func digestOf(sum []byte) string { return "SHA-256=" + base64.URLEncoding.EncodeToString(sum) }

// writeChunks sends the chunks and waits until they are stored.
func (o *Objects) writeChunks(ctx context.Context, obj *Object, r io.Reader) error {
	w := window{pub: o.b.Pub, free: make(chan struct{}, chunksSent)}
	h, buf := sha256.New(), *o.buffers.Get().(*[]byte)
	defer o.buffers.Put(&buf)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			h.Write(buf[:n])
			if err := w.send(ctx, jetio.ChunkSubject(o.store, obj.NUID), buf[:n]); err != nil {
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
// [Objects.Clean] does it later.
func (o *Objects) dropChunks(ctx context.Context, nuid string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), AckTimeout)
	defer cancel()
	if err := o.stream.Purge(ctx, jetstream.WithPurgeSubject(jetio.ChunkSubject(o.store, nuid))); err != nil {
		o.b.Log.Debug("chunks of an unfinished object stay until they are old", "err", err)
	}
}
