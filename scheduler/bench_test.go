package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// manySchedules is the number of active schedules of BenchmarkSchedules.
const manySchedules = 100_000

// BenchmarkSchedules measures a bus with 100,000 active schedules, each of a job
// of its own, in real time:
//
//	load-s        from the start of the bus until all schedules are timed
//	B/schedule    memory of the process, the NATS server included, that the schedules take
//	key-*-s       from a nominal time until its fire is stored
//	record-*-s    from a nominal time until the record of its execution is stored
//	cpu-s         CPU time of the process from the first nominal time to the last record
//
// In "spread over a minute" each schedule fires once within a minute. In "10,000
// in a second" 10,000 of them fire at the same second, and the others at
// random times of the day. No agent takes the requests. It is meant for
// -benchtime 1x, which takes a few minutes.
func BenchmarkSchedules(b *testing.B) {
	b.Run("spread over a minute", func(b *testing.B) {
		benchSchedules(b, func(start time.Time, n int) (at time.Time, counts bool) {
			return start.Add(time.Duration(n%60) * time.Second), true
		})
	})
	b.Run("10,000 in a second", func(b *testing.B) {
		g := rand.New(rand.NewPCG(1, 2))
		benchSchedules(b, func(start time.Time, n int) (at time.Time, counts bool) {
			if n%10 == 0 {
				return start, true
			}
			return start.Add(time.Duration(5*60+g.IntN(23*60*60)) * time.Second), false
		})
	})
}

// benchSchedules measures schedules that fire daily. timeOf returns the first
// time of a schedule, and whether its fire is measured.
func benchSchedules(b *testing.B, timeOf func(start time.Time, n int) (time.Time, bool)) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as in a bus under load
	for range b.N {
		srv := bustest.Server(b)
		load := bustest.Open(b, srv, bus.Config{Name: "load"})
		writeMany(b, load.Jobs, func(n int) (string, bus.Job) {
			name := fmt.Sprintf("job%d", n)
			return "app." + name, bus.Job{App: "app", Name: name, Definition: []byte(definition)}
		})
		before := heapOfIndex(b, srv)

		start := time.Now().Truncate(time.Second).Add(40 * time.Second)
		measured := map[int64]int{}
		zones := []string{"", "Europe/Berlin", "America/New_York", "Asia/Tokyo"}
		writeMany(b, load.Schedules, func(n int) (string, bus.Schedule) {
			at, counts := timeOf(start, n)
			if counts {
				measured[at.Unix()]++
			}
			zone, err := time.LoadLocation(zones[n/60%len(zones)])
			if err != nil {
				b.Fatal(err)
			}
			at = at.In(zone)
			sc := bus.Schedule{
				App: "app", Job: fmt.Sprintf("job%d", n), Active: true, Generation: 1, Since: subjects.Now(),
				Cron: fmt.Sprintf("%d %d %d * * ?", at.Second(), at.Minute(), at.Hour()), TimeZone: zones[n/60%len(zones)],
			}
			return sc.Key().String(), sc
		})

		n := runBenchNode(b, srv)
		if time.Now().After(start) {
			b.Fatalf("the schedules were loaded %v after the first nominal time", time.Since(start))
		}
		b.ReportMetric(n.loaded.Seconds(), "load-s")
		b.ReportMetric(float64(int64(heapInUse())-int64(before))/manySchedules, "B/schedule")
		time.Sleep(time.Until(start.Add(-100 * time.Millisecond)))
		cpu := cpuTime()
		keys, records := awaitFires(b, load, measured)
		b.ReportMetric((cpuTime() - cpu).Seconds(), "cpu-s")
		for name, of := range map[string][]time.Duration{"key": keys, "record": records} {
			slices.Sort(of)
			b.ReportMetric(of[len(of)/2].Seconds(), name+"-p50-s")
			b.ReportMetric(of[len(of)*99/100].Seconds(), name+"-p99-s")
			b.ReportMetric(of[len(of)-1].Seconds(), name+"-max-s")
		}
		n.stop()
	}
	b.ReportMetric(0, "ns/op")
}

// writeMany writes manySchedules values to a bucket.
func writeMany[T any](b *testing.B, s *bus.Store[T], value func(n int) (string, T)) {
	b.Helper()
	room := make(chan struct{}, 1000)
	var all sync.WaitGroup
	for n := range manySchedules {
		room <- struct{}{}
		all.Add(1)
		key, v := value(n)
		s.Write(key, v, 0, func(_ uint64, err error) {
			if err != nil {
				b.Error(err)
			}
			<-room
			all.Done()
		})
	}
	all.Wait()
}

// heapOfIndex returns the memory in use while a bus runs that has all jobs but
// no schedule.
func heapOfIndex(b *testing.B, srv *server.Server) uint64 {
	b.Helper()
	n := runBenchNode(b, srv)
	defer n.stop()
	return heapInUse()
}

func heapInUse() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// benchNode is a running control bus, with the parts that fire schedules.
type benchNode struct {
	loaded time.Duration
	stop   func()
}

func runBenchNode(b *testing.B, srv *server.Server) *benchNode {
	b.Helper()
	bs := bustest.Open(b, srv, bus.Config{Name: "measured"})
	x := index.New(bs)
	executions := execution.New(bs, x, execution.Config{Waiting: time.Hour}) // no agent comes
	s := New(Config{Bus: bs, Index: x, Submit: executions})
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	from := time.Now()
	for _, run := range []func(context.Context) error{x.Run, executions.Run, s.Run} {
		all.Go(func() {
			if err := run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	<-x.Ready()
	<-s.timed
	return &benchNode{time.Since(from), func() { cancel(); all.Wait() }}
}

// awaitFires blocks until all measured fires have a record. It returns how much
// later than their nominal times the keys and the records were stored. measured
// has the number of fires by nominal time.
func awaitFires(b *testing.B, bs *bus.Bus, measured map[int64]int) (keys, records []time.Duration) {
	b.Helper()
	all := 0
	for _, n := range measured {
		all += n
	}
	nominal := map[int64]int64{} // by execution
	readAll(b, bs, subjects.FiresBucket, func(key string, at time.Time, data []byte) bool {
		_, second, ok := bus.SplitFireKey(key)
		var f bus.Fire
		if !ok || measured[second] == 0 || json.Unmarshal(data, &f) != nil || f.Execution == 0 {
			return false
		}
		nominal[f.Execution] = second
		keys = append(keys, at.Sub(time.Unix(second, 0)))
		return len(keys) == all
	})
	readAll(b, bs, subjects.ExecutionsBucket, func(key string, at time.Time, _ []byte) bool {
		id, _ := strconv.ParseInt(key[strings.LastIndexByte(key, '.')+1:], 10, 64)
		if second, ok := nominal[id]; ok {
			delete(nominal, id) // a record may be written several times
			records = append(records, at.Sub(time.Unix(second, 0)))
		}
		return len(records) == all
	})
	return keys, records
}

// readAll reads the messages of a bucket's stream until each returns true.
func readAll(b *testing.B, bs *bus.Bus, bucket string, each func(key string, at time.Time, data []byte) bool) {
	b.Helper()
	c, err := bs.JS.OrderedConsumer(b.Context(), jetio.BucketStream(bucket), jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	prefix := len(jetio.KeySubject(bucket, ""))
	cc, err := c.Consume(func(m jetstream.Msg) {
		meta, err := m.Metadata()
		if err != nil {
			b.Error(err)
			return
		}
		if each(m.Subject()[prefix:], meta.Timestamp, m.Data()) {
			close(ended)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer cc.Stop()
	select {
	case <-ended:
	case <-time.After(10 * time.Minute):
		b.Fatal("not all fires came")
	}
}
