package jobflow_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

var (
	seed   = flag.Uint64("seed", 0, "of the random jobs; 0: another one each time")
	graphs = flag.Uint64("graphs", 100_000, "number of random jobs")
)

// generator makes random jobs and scripts.
type generator struct {
	*rand.Rand
	count int
	ids   []string
	ends  map[string][]string
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, all ...T) T { return all[g.IntN(len(all))] }

// scope makes the elements of a job or a flow.
func (g *generator) scope(depth int, inSplit bool) []*node {
	nodes := make([]*node, 1+g.IntN(4))
	for i := range nodes {
		nodes[i] = g.element(depth, inSplit)
	}
	if nodes[0].kind == 'd' && !g.chance(5) {
		nodes[0].kind = 's'
		g.ends[nodes[0].id] = g.stepEnds(inSplit)
	}
	for i, n := range nodes {
		if n.kind != 'd' && g.chance(80) {
			n.next = g.target(nodes, i)
		}
		if n.kind != 'p' {
			for range pick(g, 0, 0, 1, 1, 2, 3) {
				n.rules = append(n.rules, g.rule(nodes, i))
			}
		}
	}
	return nodes
}

func (g *generator) element(depth int, inSplit bool) *node {
	g.count++
	n := &node{kind: 's', id: fmt.Sprintf("e%d", g.count)}
	g.ids = append(g.ids, n.id)
	kind := g.IntN(100)
	switch {
	case kind < 15:
		n.kind = 'd'
		g.ends[n.id] = g.decisionEnds(inSplit)
		return n
	case kind < 28 && depth > 0:
		n.kind, n.kids = 'f', g.scope(depth-1, inSplit)
		return n
	case kind < 38 && depth > 0:
		n.kind = 'p'
		for range 1 + g.IntN(3) {
			g.count++
			f := &node{kind: 'f', id: fmt.Sprintf("e%d", g.count), kids: g.scope(depth-1, true)}
			if g.chance(15) {
				f.rules = append(f.rules, g.rule([]*node{f}, 0))
			}
			n.kids = append(n.kids, f)
		}
		return n
	}
	n.again, n.limit = g.chance(25), pick(g, 0, 0, 0, 0, 1, 2)
	g.ends[n.id] = g.stepEnds(inSplit)
	return n
}

// target returns an element that can follow the one with the index: mostly a
// later sibling, sometimes an earlier one or none of this scope.
func (g *generator) target(nodes []*node, i int) string {
	switch {
	case g.chance(4):
		return nodes[g.IntN(len(nodes))].id
	case g.chance(3):
		return pick(g, g.ids...)
	case i+1 < len(nodes):
		return nodes[i+1+g.IntN(len(nodes)-i-1)].id
	}
	return ""
}

func (g *generator) rule(nodes []*node, i int) mrule {
	r := mrule{on: pick(g, "COMPLETED", "FAILED", "A", "B", "A*", "*", "?", "*B", "C*", "A?"), act: "next"}
	if g.chance(60) {
		if r.to = g.target(nodes, i); r.to != "" {
			return r
		}
	}
	r.act, r.to = pick(g, "end", "fail", "stop"), ""
	if g.chance(50) {
		r.exit = pick(g, "X", "Y", "Z")
	}
	if r.act == "stop" && g.chance(60) {
		r.restart = "?" // an element of the job, once it is known
	}
	return r
}

// stepEnds returns how a step ends each time. A stop is requested outside of
// splits only: otherwise it would depend on chance how far the other flows got.
func (g *generator) stepEnds(inSplit bool) (all []string) {
	for range 5 {
		end := pick(g, "", "", "", "A", "B", "AB", "!", "!A", "job:J", "job:K", "panic")
		if !inSplit && g.chance(8) {
			end = pick(g, "~", "~A", "^", "^A", "^!", "^job:J")
		}
		all = append(all, end)
	}
	return all
}

func (g *generator) decisionEnds(inSplit bool) (all []string) {
	for range 5 {
		end := pick(g, "A", "B", "AB", "C", "A", "B", "-", "!", "panic")
		if !inSplit && g.chance(8) {
			end = pick(g, "~", "^A", "^!")
		}
		all = append(all, end)
	}
	return all
}

// placeRestarts fills in where stops let a restart begin: at any element of the
// job.
func (g *generator) placeRestarts(nodes, job []*node) {
	for _, n := range nodes {
		for i := range n.rules {
			if n.rules[i].restart == "?" {
				n.rules[i].restart = job[g.IntN(len(job))].id
			}
		}
		g.placeRestarts(n.kids, job)
	}
}

// compareOne runs one random job, and its restarts, in the engine and in the
// model. It returns in what they differ.
func compareOne(t *testing.T, seed, number uint64) (difference string, executions int) {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, number)), ends: map[string][]string{}}
	nodes := g.scope(3, false)
	g.placeRestarts(nodes, nodes)
	job := readJob(t, join(nodes))
	s := newScript(g.ends)
	m := &model{job: nodes, ends: map[string][]string{}, calls: map[string]int{}, known: map[string]memory{}}
	for id, ends := range g.ends {
		for _, end := range ends {
			m.ends[id] = append(m.ends[id], strings.Replace(end, "panic", "!", 1))
		}
	}
	position, modelPosition := "", ""
	var history []string
	for range 5 {
		var want, got string
		want, modelPosition = m.execute(modelPosition)
		got, o := s.run(t, job, position)
		history = append(history, want)
		position = o.RestartPosition
		executions++
		if got != want || (o.BatchStatus == subjects.Failed) == (o.Exception == "") {
			return fmt.Sprintf("seed %d, job %d: %s\nscript %v\nexecution %d is  %s (%s)\nwant executions %s",
				seed, number, join(nodes), g.ends, executions, got, o.Exception, strings.Join(history, "\n                ")), executions
		}
		if o.BatchStatus == subjects.Completed {
			break
		}
	}
	return "", executions
}

// TestRandomJobs compares the engine with the model: flows in flows, splits,
// decisions, loops, stops, start limits and restarts.
func TestRandomJobs(t *testing.T) {
	from := *seed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	total := *graphs
	if raceEnabled {
		total /= 20
	}
	t.Logf("%d jobs with -seed=%d", total, from)
	var next, executions atomic.Uint64
	var failures atomic.Int32
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n := next.Add(1); n <= total && failures.Load() < 3; n = next.Add(1) {
				difference, ran := compareOne(t, from, n)
				executions.Add(uint64(ran))
				if difference != "" {
					failures.Add(1)
					t.Error(difference)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d executions", executions.Load())
}
