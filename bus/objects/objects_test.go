package objects_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// world is a store on a bus.
type world struct {
	*objects.Store
	js jetstream.JetStream
}

func open(t *testing.T, s *server.Server, cfg bus.Config) world {
	b := bustest.Open(t, s, cfg)
	return world{bustest.Artifacts(t, b), b.JS}
}

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// content makes n bytes and their name.
func content(n int) (name string, data []byte) {
	data = make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	_, _ = r.Read(data) // it never fails
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), data
}

func create(t *testing.T, b world, name string, r io.Reader) (created bool, err error) {
	t.Helper()
	obj, created, err := b.Create(t.Context(), jetstream.ObjectMeta{Name: name, Description: "a.jar"}, r)
	if err == nil && obj.Name != name {
		t.Errorf("created %q, want %q", obj.Name, name)
	}
	return created, err
}

// messages are how many messages the object store has.
func messages(t *testing.T, b world) uint64 {
	t.Helper()
	s, err := b.js.Stream(t.Context(), jetio.ObjectStream(subjects.ArtifactsStore))
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func TestObjects(t *testing.T) {
	b := open(t, bustest.Server(t), bus.Config{})
	for _, n := range []int{0, 1, 512 << 10, 512<<10 + 1, 3 << 20} {
		name, data := content(n)
		// Whoever reads in small pieces still fills its chunks.
		if created, err := create(t, b, name, iotest.HalfReader(bytes.NewReader(data))); err != nil || !created {
			t.Fatalf("Create of %d bytes = %v, %v", n, created, err)
		}
		r, obj, err := b.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes of %d: %v", len(got), n, err)
		}
		if obj.Size != uint64(n) || obj.Chunks != uint32((n+512<<10-1)/(512<<10)) || obj.Description != "a.jar" {
			t.Errorf("object of %d bytes = %+v", n, obj)
		}
		store, err := b.js.ObjectStore(t.Context(), subjects.ArtifactsStore)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 { // the client library reads no digest of nothing
			if got, err = store.GetBytes(t.Context(), name); err != nil || !bytes.Equal(got, data) {
				t.Errorf("the client library reads %d bytes of %d: %v", len(got), n, err)
			}
		}
	}
	if all, err := b.List(t.Context()); err != nil || len(all) != 5 {
		t.Errorf("List = %d objects, %v", len(all), err)
	}
	if _, err := b.Stat(t.Context(), "x"); !errors.Is(err, jetio.ErrNotFound) {
		t.Errorf("Stat of nothing: %v", err)
	}
}

func TestUnfinishedObjectsDoNotExist(t *testing.T) {
	name, data := content(2 << 20)
	broken := errors.New("the disk is gone")
	for _, tc := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"other content", bytes.NewReader(data[1:]), objects.ErrContent},
		{"less content", bytes.NewReader(data[:1<<20]), objects.ErrContent},
		{"no content", bytes.NewReader(nil), objects.ErrContent},
		{"a reader that fails", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)), broken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := open(t, bustest.Server(t), bus.Config{})
			if _, err := create(t, b, name, tc.r); !errors.Is(err, tc.want) {
				t.Errorf("Create = %v, want %v", err, tc.want)
			}
			if _, err := b.Stat(t.Context(), name); !errors.Is(err, jetio.ErrNotFound) {
				t.Errorf("Stat = %v, want %v", err, jetio.ErrNotFound)
			}
			if n := messages(t, b); n != 0 {
				t.Errorf("%d messages are left", n)
			}
			if created, err := create(t, b, name, bytes.NewReader(data)); !created || err != nil {
				t.Errorf("Create afterwards = %v, %v", created, err)
			}
		})
	}
}

func TestAChunkThatIsNotAcknowledgedIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, tapped := bustest.Tapped(t, bustest.Server(t))
		b := world{bustest.Artifacts(t, tapped), tapped.JS}
		name, data := content(3 << 20)
		s.Hold(jetio.ChunkSubject(subjects.ArtifactsStore, ""), 3)
		if _, err := create(t, b, name, bytes.NewReader(data)); !errors.Is(err, jetio.ErrAway) || errors.Is(err, jetio.ErrUnknown) {
			t.Errorf("Create = %v, want %v", err, jetio.ErrAway)
		}
		if n := messages(t, b); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	})
}

func TestNoAnswerUntilAFarDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, tapped := bustest.Tapped(t, bustest.Server(t))
		store := bustest.Artifacts(t, tapped)
		s.Hold("$", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		begin := time.Now()
		if _, err := store.Stat(ctx, "x"); !errors.Is(err, jetio.ErrAway) {
			t.Errorf("error %v, want %v", err, jetio.ErrAway)
		}
		if took := time.Since(begin); took > 2*jetio.AckTimeout {
			t.Errorf("waited %v", took)
		}
	})
}

func TestAnObjectWhoseMetaIsNotAcknowledgedMayBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, tapped := bustest.Tapped(t, bustest.Server(t))
		b := world{bustest.Artifacts(t, tapped), tapped.JS}
		name, data := content(1 << 20)
		s.Hold(jetio.MetaSubject(subjects.ArtifactsStore, ""), 1)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second) // while the second try waits
		defer cancel()
		_, _, err := b.Create(ctx, jetstream.ObjectMeta{Name: name}, bytes.NewReader(data))
		if !errors.Is(err, jetio.ErrUnknown) {
			t.Errorf("Create = %v, want %v", err, jetio.ErrUnknown)
		}
		if n := messages(t, b); n != 2 {
			t.Errorf("%d messages are left, want both chunks: the meta may still come", n)
		}
	})
}

func TestWritersOfTheSameObject(t *testing.T) {
	s := bustest.Server(t)
	const writers = 8
	name, data := content(2<<20 + 7)
	var created [writers]bool
	var group sync.WaitGroup
	for i := range writers {
		b := open(t, s, bus.Config{})
		group.Go(func() {
			var err error
			if created[i], err = create(t, b, name, bytes.NewReader(data)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n := 0
	for _, c := range created {
		if c {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d writers created it, want 1", n)
	}
	b := open(t, s, bus.Config{})
	if r, _, err := b.Open(t.Context(), name); err != nil {
		t.Error(err)
	} else if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes of %d: %v", len(got), len(data), err)
	}
	if n := messages(t, b); n != 6 {
		t.Errorf("the store has %d messages, want 5 chunks and a meta", n)
	}
}

func TestObjectsOfThreeReplicas(t *testing.T) {
	servers := bustest.Cluster(t)
	b := open(t, servers[0], bus.Config{Replicas: 3})
	for n := 1; n < 40; n += 3 { // at once after it was written, a replica may lag
		name, data := content(n << 16)
		if created, err := create(t, b, name, bytes.NewReader(data)); err != nil || !created {
			t.Fatalf("Create = %v, %v", created, err)
		}
		r, _, err := b.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d bytes of %d: %v", len(got), len(data), err)
		}
	}
}

func TestRemovedObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bustest.Server(t), bus.Config{})
		name, data := content(1 << 20)
		stat := func() *objects.Object {
			obj, err := b.Stat(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return obj
		}
		_, _ = create(t, b, name, bytes.NewReader(data))
		young := stat()
		if obj, _ := b.Touch(t.Context(), name); obj.Revision != young.Revision {
			t.Error("a young object was touched")
		}
		time.Sleep(time.Hour)
		if created, err := create(t, b, name, nil); created || err != nil {
			t.Errorf("Create of what is there = %v, %v", created, err)
		}
		if err := b.Remove(t.Context(), young); !errors.Is(err, jetio.ErrChanged) {
			t.Errorf("Remove of what was touched = %v, want %v", err, jetio.ErrChanged)
		}
		now := stat()
		if age := time.Since(now.ModTime); age > time.Minute {
			t.Errorf("what was touched is %v old", age)
		}
		r, _, err := b.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Remove(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, jetio.ErrNotFound) {
			t.Errorf("reading what is removed = %v, want %v", err, jetio.ErrNotFound)
		}
		if _, err := b.Touch(t.Context(), name); !errors.Is(err, jetio.ErrNotFound) {
			t.Errorf("Touch of what is removed = %v, want %v", err, jetio.ErrNotFound)
		}
		if n := messages(t, b); n != 0 {
			t.Errorf("%d messages are left", n)
		}
		if created, err := create(t, b, name, bytes.NewReader(data)); !created || err != nil {
			t.Errorf("Create of what was removed = %v, %v", created, err)
		}
	})
}

func TestCleanTakesWhatWasNotFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bustest.Server(t), bus.Config{})
		name, data := content(3 << 20)
		gone, other := content(1 << 20)
		for n, d := range map[string][]byte{name: data, gone: other} {
			if _, err := create(t, b, n, bytes.NewReader(d)); err != nil {
				t.Fatal(err)
			}
		}
		// A bus that dies while it writes, and one that dies while it removes.
		if _, err := b.js.Publish(t.Context(), jetio.ChunkSubject(subjects.ArtifactsStore, "dead"), data[:1000]); err != nil {
			t.Fatal(err)
		}
		store, err := b.js.ObjectStore(t.Context(), subjects.ArtifactsStore)
		if err == nil {
			err = store.Delete(t.Context(), gone) // leaves its marker
		}
		if err != nil {
			t.Fatal(err)
		}
		clean := func(want uint64) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := b.Clean(ctx, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			if n := messages(t, b); n != want {
				t.Errorf("%d messages are left, want %d", n, want)
			}
		}
		clean(9) // all is young
		time.Sleep(61 * time.Minute)
		clean(7)
	})
}
