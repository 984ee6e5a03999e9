package deploy

import (
	"archive/zip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

const (
	largeJars  = 100
	largeBytes = 120 << 20 // more than the test allows in memory
)

// largeClassPath writes 100 jars of 120 MB in all and returns their paths. Each
// has 20 classes, two of them batchlets, and random data. Nothing is
// compressed: random bytes would only cost time.
func largeClassPath(t testing.TB) []string {
	t.Helper()
	dir := t.TempDir()
	random := rand.NewChaCha8([32]byte{1})
	var all []string
	for i := range largeJars {
		var entries []jarEntry
		for k := range 20 {
			of := "java/lang/Runnable"
			if k < 2 {
				of = "javax/batch/api/Batchlet"
			}
			entries = append(entries, classEntry(fmt.Sprintf("app/p%d/C%d", i, k), of))
		}
		filler := make([]byte, largeBytes/largeJars)
		_, _ = random.Read(filler) // it never fails
		path := filepath.Join(dir, fmt.Sprintf("lib-%02d.jar", i))
		if err := os.WriteFile(path, writeJar(zip.Store, append(entries, jarEntry{"data.bin", filler})), 0o644); err != nil {
			t.Fatal(err)
		}
		all = append(all, path)
	}
	return all
}

// watchMemory samples the memory of the process until the returned function is
// called, which returns by how many bytes it grew at most.
func watchMemory() (grown func() uint64) {
	runtime.GC()
	debug.FreeOSMemory()
	used := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64() - s[1].Value.Uint64()
	}
	idle, most := used(), uint64(0)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.Tick(2 * time.Millisecond); ; {
			most = max(most, used())
			select {
			case <-tick:
			case <-stop:
				return
			}
		}
	})
	return func() uint64 {
		close(stop)
		watching.Wait()
		return most - min(idle, most)
	}
}

// largeDeploy deploys a large class path in several ways, with the GC
// percentage of the program. The broker runs in the process, as in the program,
// so its memory counts.
type largeDeploy struct {
	*Deployer
	paths []string
	refs  []ArtifactRef
}

func newLargeDeploy(t testing.TB) *largeDeploy {
	t.Helper()
	old := debug.SetGCPercent(400)
	t.Cleanup(func() { debug.SetGCPercent(old) })
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	d, err := New(Config{Bus: b, Objects: bustest.Artifacts(t, b), TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return &largeDeploy{Deployer: d, paths: largeClassPath(t)}
}

func (l *largeDeploy) fromPath(ctx context.Context) (*Deployment, error) {
	dep, err := l.DeployPath(ctx, "shop", l.paths)
	if err == nil && l.refs == nil {
		for _, a := range dep.Artifacts {
			l.refs = append(l.refs, a.ArtifactRef)
		}
	}
	return dep, err
}

func (l *largeDeploy) fromStore(ctx context.Context) (*Deployment, error) {
	return l.Deploy(ctx, "shop", l.refs)
}

type deploying func(context.Context) (*Deployment, error)

func BenchmarkLarge(b *testing.B) {
	l := newLargeDeploy(b)
	for _, way := range []struct {
		name string
		deploying
	}{{"new", l.fromPath}, {"unchanged", l.fromPath}, {"stored", l.fromStore}} {
		b.Run(way.name, func(b *testing.B) {
			grown := watchMemory()
			for b.Loop() {
				if _, err := way.deploying(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(grown())/(1<<20), "peak-MiB")
		})
	}
}

func TestALargeClassPathTakesBoundedMemory(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes seconds, and the race detector has memory of its own")
	}
	const most = 110 // MiB
	l := newLargeDeploy(t)
	for _, way := range []struct {
		name string
		deploying
	}{{"new", l.fromPath}, {"unchanged", l.fromPath}, {"stored", l.fromStore}} {
		grown := watchMemory()
		dep, err := way.deploying(t.Context())
		if err != nil || dep.Components != 2*largeJars || dep.Classes != 20*largeJars {
			t.Fatalf("%s: deployed %+v, %v", way.name, dep, err)
		}
		n := grown() >> 20
		t.Logf("%s: the process grew by %d MiB", way.name, n)
		if n > most {
			t.Errorf("%s: the process grew by %d MiB, want at most %d", way.name, n, most)
		}
	}
}
