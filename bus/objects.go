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
)

// Objects keeps content that does not change in one JetStream object store, each object under the SHA-256 of its content.
//
//	chunks, few in flight --> all acknowledged --> meta, only if there is none --> the object exists
//
// Every NATS client reads it, and `nats object`. The client library's own Put is not used: it sends the meta along with the
// chunks and replaces what another one stored in the meantime, whose chunks then stay for ever. Here a writer that dies leaves
// chunks that nothing names, for [Objects.Clean], and of two that store the same content one finds that it is there.
type Objects struct {
	b       *Bus
	store   string
	stream  jetstream.Stream
	chunk   int       // bytes
	buffers sync.Pool // of a chunk each
}

// Object is what is known of an object. ModTime is when it was stored or last touched.
type Object struct {
	jetstream.ObjectInfo
	Revision uint64
}

// ErrContent is content that is not what its SHA-256 says.
var ErrContent = errors.New("the content does not have the SHA-256 that it is named by")

// TouchAge is how old an object may be that need not be touched. Who removes what nobody names takes what is far older.
const TouchAge = 10 * time.Minute

const (
	maxChunk   = 512 << 10 // bytes: each costs an acknowledgement, and with sync always a sync to disk
	chunksSent = 4         // that are not acknowledged: more would fill the server's memory, not its disk
)

func objectStream(store string) string { return "OBJ_" + store }
func chunks(store, nuid string) string { return "$O." + store + ".C." + nuid }
func metas(store string) string        { return "$O." + store + ".M.>" }
func (o *Objects) meta(name string) string {
	return "$O." + o.store + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}
func (o *Objects) failed(verb, name string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", verb, o.store, name, err)
}

func openObjects(ctx context.Context, b *Bus, store string) (*Objects, error) {
	s, err := b.JS.Stream(ctx, objectStream(store))
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", store, err)
	}
	o := &Objects{b: b, store: store, stream: s, chunk: min(maxChunk, int(b.NC.MaxPayload()/2))}
	o.buffers.New = func() any { buf := make([]byte, o.chunk); return &buf }
	return o, nil
}

// Stat reads from the leader what is known of an object, or returns an error that is [ErrNotFound].
func (o *Objects) Stat(ctx context.Context, name string) (*Object, error) {
	obj, err := o.last(ctx, name)
	if err == nil && obj.Deleted {
		err = o.failed("look for", name, ErrNotFound)
	}
	return obj, err
}

// last is the newest meta, that of a removed object too.
func (o *Objects) last(ctx context.Context, name string) (*Object, error) {
	m, err := o.b.ask(ctx, objectStream(o.store), lastOf(o.meta(name)))
	if err != nil {
		return &Object{}, o.failed("look for", name, err)
	}
	return decodeObject(m)
}

func decodeObject(m *stored) (*Object, error) {
	obj := &Object{Revision: m.Sequence}
	if err := json.Unmarshal(m.Data, &obj.ObjectInfo); err != nil {
		return obj, fmt.Errorf("object on %s: %w", m.Subject, err)
	}
	obj.ModTime = m.Time
	return obj, nil
}

// Create stores what r has under meta.Name, unless it is there: then it is touched, and created is false. If the content is
// another, the error is an [ErrContent]. Whatever the error, nothing of this call counts as stored, but for one that is [ErrUnknown].
func (o *Objects) Create(ctx context.Context, meta jetstream.ObjectMeta, r io.Reader) (obj *Object, created bool, err error) {
	if obj, err = o.Touch(ctx, meta.Name); !errors.Is(err, ErrNotFound) {
		return obj, false, err
	}
	meta.Opts = &jetstream.ObjectMetaOptions{ChunkSize: uint32(o.chunk)}
	own := nuid.Next()
	obj = &Object{ObjectInfo: jetstream.ObjectInfo{ObjectMeta: meta, Bucket: o.store, NUID: own}}
	if err = o.write(ctx, obj, r); err == nil {
		created, err = o.publish(ctx, obj)
	} else if errors.Is(err, ErrUnknown) { // of a chunk, which counts for nothing without a meta
		err = fmt.Errorf("%w: %v", ErrAway, err) //nolint:errorlint // the outcome is known
	}
	if !created && !errors.Is(err, ErrUnknown) {
		o.drop(ctx, own)
	}
	if err != nil {
		return nil, false, o.failed("store", meta.Name, err)
	}
	return obj, created, nil
}

// publish makes the object exist, or finds that another writer did.
func (o *Objects) publish(ctx context.Context, obj *Object) (created bool, err error) {
	for {
		was, err := o.last(ctx, obj.Name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		if err == nil && !was.Deleted {
			*obj = *was
			return false, nil
		}
		if err = o.put(ctx, obj, was.Revision); !errors.Is(err, ErrChanged) {
			return err == nil, err
		}
	}
}

// put writes the meta if the object is at revision rev. Who wrote it does not matter where the outcome is the same: what could not be
// known, and what was refused, may be stored all the same.
func (o *Objects) put(ctx context.Context, obj *Object, rev uint64) error {
	info := obj.ObjectInfo
	info.ModTime = time.Time{}
	data, err := json.Marshal(&info)
	if err != nil {
		return err
	}
	for {
		m := &nats.Msg{Subject: o.meta(obj.Name), Data: data, Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}}}
		seq, err := o.b.Pub.Do(ctx, m, m.Subject, int64(rev))
		if err == nil {
			obj.Revision, obj.ModTime = seq, time.Now()
			return nil
		}
		if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrChanged) || ctx.Err() != nil {
			return err
		}
		last, lerr := o.last(ctx, obj.Name)
		if lerr == nil && last.Revision > rev && last.NUID == obj.NUID && last.Deleted == obj.Deleted {
			*obj = *last
			return nil
		}
		if errors.Is(err, ErrChanged) {
			return err
		}
	}
}

// Touch makes an object as young as one just stored, give or take [TouchAge], so that nobody who removes old ones takes it;
// [ErrNotFound] if there is none.
func (o *Objects) Touch(ctx context.Context, name string) (*Object, error) {
	for {
		obj, err := o.Stat(ctx, name)
		if err != nil || time.Since(obj.ModTime) < TouchAge {
			return obj, err
		}
		if err = o.put(ctx, obj, obj.Revision); !errors.Is(err, ErrChanged) {
			if err != nil {
				err = o.failed("touch", name, err)
			}
			return obj, err
		}
	}
}

// digest is how the object store writes a SHA-256.
func digest(sum []byte) string { return "SHA-256=" + base64.URLEncoding.EncodeToString(sum) }

// write sends the chunks and waits until they are stored.
func (o *Objects) write(ctx context.Context, obj *Object, r io.Reader) error {
	w := window{pub: o.b.Pub, free: make(chan struct{}, chunksSent)}
	h, buf := sha256.New(), *o.buffers.Get().(*[]byte)
	defer o.buffers.Put(&buf)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			h.Write(buf[:n])
			if err := w.send(ctx, chunks(o.store, obj.NUID), buf[:n]); err != nil {
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
		obj.Digest = digest(h.Sum(nil))
		return nil
	}
}

// drop purges the chunks of an object that does not exist. What it cannot, [Objects.Clean] will.
func (o *Objects) drop(ctx context.Context, nuid string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), AckTimeout)
	defer cancel()
	if err := o.stream.Purge(ctx, jetstream.WithPurgeSubject(chunks(o.store, nuid))); err != nil {
		o.b.Log.Debug("chunks of an unfinished object stay until they are old", "err", err)
	}
}
