package objects

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

// Open returns a reader of an object's content. It reads one chunk at a time,
// and holds no more in memory. At the end of the content it returns an error
// that is [ErrContent] if the content does not match the name. Reading fails
// when ctx ends.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, *Object, error) {
	obj, err := s.Stat(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return &objectReader{ctx: ctx, store: s, obj: obj, left: obj.Chunks, sum: sha256.New()}, obj, nil
}

type objectReader struct {
	ctx   context.Context
	store *Store
	obj   *Object
	next  uint64 // the next chunk has this stream sequence or a later one
	left  uint32 // chunks
	rest  []byte // unread bytes of the present chunk
	sum   hash.Hash
	err   error
}

// Read implements [io.Reader].
func (r *objectReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && r.err == nil {
		r.err = r.fetchChunk()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close implements [io.Closer].
func (r *objectReader) Close() error {
	r.rest, r.err = nil, errors.New("read from a closed object")
	return nil
}

func (r *objectReader) fetchChunk() error {
	if r.left == 0 {
		if hex.EncodeToString(r.sum.Sum(nil)) != r.obj.Name {
			return r.store.wrapError("read", r.obj.Name, ErrContent)
		}
		return io.EOF
	}
	seq, data, err := r.store.chunkAt(r.ctx, r.obj.NUID, r.next)
	if err != nil {
		return r.store.wrapError("read", r.obj.Name, err)
	}
	r.rest, r.next = data, seq+1
	r.left--
	r.sum.Write(data)
	return nil
}

// chunkAt reads the chunk at or after a sequence. Any replica may answer, as
// chunks do not change. A replica that lags may not have it yet; then chunkAt
// asks the leader.
func (s *Store) chunkAt(ctx context.Context, nuid string, seq uint64) (uint64, []byte, error) {
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	subject := jetio.ChunkSubject(s.cfg.Name, nuid)
	m, err := s.stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
	if err == nil {
		return m.Sequence, m.Data, nil
	}
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		if jetio.IsAway(err) {
			err = fmt.Errorf("%w: %w", jetio.ErrAway, err)
		}
		return 0, nil, err
	}
	next, err := jetio.ReadNext(ctx, s.cfg.NC, jetio.ObjectStream(s.cfg.Name), subject, seq)
	if err != nil {
		return 0, nil, err
	}
	return next.Sequence, next.Data, nil
}
