package jsl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

// generator makes valid jobs, with everything that a job can have.
type generator struct {
	*rand.Rand
	ids int
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 1))} }

// longEnv lets the tests with generated jobs generate many more if it is 1.
const longEnv = "JOBSTREAMER_TEST_LONG"

// seeds returns how many jobs a test generates: few by default, many if longEnv
// asks for them. Seeds count from 0, so the few are among the many.
func seeds(few, many uint64) uint64 {
	if os.Getenv(longEnv) == "1" {
		return many
	}
	return few
}

var strange = []string{
	"", " ", "a", "x=1;y", "日本語", `"quoted" \ 'single'`, "<a>&amp;</a>", "line\nline\ttab\r\nend", "\u2028\u0085",
	"#{jobParameters['a']}", "#{jobProperties['a']}?:b;#{systemProperties['x']}?:#{partitionPlan['n']};;", "#{", "true", "null",
	"~", "1", "007", "1e3", "- a: b", ":key", "  spaces  ", "#comment", "!tag", "&a *a", "|", "]]>", "<!-- -->", "a/b~c", "{}", "[]", "\u00a0", "\ufeff",
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) text() string   { return pick(g, strange...) }
func (g *generator) filled() string { return pick(g, strange[1:]...) }
func (g *generator) maybe() bool    { return g.IntN(2) == 0 }

func (g *generator) id() string {
	g.ids++
	return pick(g, "step-", "ステップ ", "#", "a/b~", "") + strconv.Itoa(g.ids)
}

func (g *generator) int(least int) Int {
	return pick(g, "", Int(strconv.Itoa(least+g.IntN(1000))), "#{jobParameters['n']}?:7;")
}

func (g *generator) bool() Bool { return pick[Bool](g, "", "true", "false", "#{jobParameters['b']}") }

func (g *generator) job() *Job {
	g.ids = 0
	j := &Job{
		ID:          pick(g, "JOB_", "夜間.", "007") + strconv.Itoa(g.IntN(100)) + "-x",
		Restartable: g.bool(),
		Properties:  g.properties(),
		Listeners:   g.artifacts(),
		Exclusive:   g.maybe(),
		Pool:        pick(g, DefaultPool, "big_iron"),
		Priority:    pick(g, PriorityHigh, PriorityNormal, PriorityLow),
		OnAgentLost: pick(g, LostFailed, LostRequeue),
		MaxAttempts: pick(g, 1, DefaultMaxAttempts, 9),
		Log:         pick(g, LogComplete, LogLossy),
		Namespace:   pick(g, JavaEE, JakartaEE),
	}
	j.Elements = g.elements(3)
	return j
}

func (g *generator) properties() Properties {
	var p Properties
	for i := range g.IntN(4) {
		p = append(p, Property{fmt.Sprint(g.text(), i), g.text()})
	}
	g.Shuffle(len(p), func(i, k int) { p[i], p[k] = p[k], p[i] })
	return p
}

func (g *generator) artifact() *Artifact {
	return &Artifact{Ref: g.filled(), Properties: g.properties()}
}

func (g *generator) optional() *Artifact {
	if g.maybe() {
		return nil
	}
	return g.artifact()
}

func (g *generator) artifacts() []Artifact {
	var a []Artifact
	for range g.IntN(3) {
		a = append(a, *g.artifact())
	}
	return a
}

// elements leads only forward, and begins with what may be first.
func (g *generator) elements(depth int) []Element {
	n := 1 + g.IntN(3)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = g.id()
	}
	var elements []Element
	for i, id := range ids {
		after := ids[i+1:]
		next := ""
		if len(after) > 0 && g.maybe() {
			next = pick(g, after...)
		}
		switch kind := g.IntN(6); {
		case kind == 0 && depth > 0:
			elements = append(elements, &Flow{id, next, g.elements(depth - 1), g.transitions(after)})
		case kind == 1 && depth > 0:
			s := &Split{ID: id, Next: next}
			for range 1 + g.IntN(2) {
				s.Flows = append(s.Flows, &Flow{ID: g.id(), Elements: g.elements(depth - 1), Transitions: g.transitions(nil)})
			}
			elements = append(elements, s)
		case kind == 2 && i > 0:
			elements = append(elements, &Decision{id, *g.artifact(), g.transitions(after)})
		default:
			elements = append(elements, g.step(id, next, after))
		}
	}
	return elements
}

func (g *generator) step(id, next string, after []string) *Step {
	s := &Step{
		ID: id, Next: next, StartLimit: g.int(0), AllowStartIfComplete: g.bool(),
		Properties: g.properties(), Listeners: g.artifacts(), Transitions: g.transitions(after),
	}
	switch g.IntN(3) {
	case 0:
		s.Batchlet = g.artifact()
	case 1:
		s.Chunk = g.chunk()
	}
	if g.maybe() {
		s.Partition = g.partition()
	}
	return s
}

func (g *generator) chunk() *Chunk {
	return &Chunk{
		CheckpointPolicy: pick(g, "", "item", "custom", "#{jobParameters['policy']}"),
		ItemCount:        g.int(1), TimeLimit: g.int(0), SkipLimit: g.int(0), RetryLimit: g.int(0),
		Reader: g.artifact(), Processor: g.optional(), Writer: g.artifact(), CheckpointAlgorithm: g.artifact(),
		Skippable: g.classes(), Retryable: g.classes(), NoRollback: g.classes(),
	}
}

func (g *generator) classes() *ExceptionClasses {
	if g.maybe() {
		return nil
	}
	c := &ExceptionClasses{}
	for range g.IntN(3) {
		c.Include = append(c.Include, g.filled())
	}
	for range g.IntN(3) {
		c.Exclude = append(c.Exclude, g.filled())
	}
	return c
}

func (g *generator) partition() *Partition {
	p := &Partition{Collector: g.optional(), Analyzer: g.optional(), Reducer: g.optional()}
	switch g.IntN(3) {
	case 0:
		p.Mapper = g.artifact()
	case 1:
		p.Plan = &Plan{Partitions: "4", Threads: g.int(1)}
		for i := range g.IntN(4) {
			p.Plan.Properties = append(p.Plan.Properties, PartitionProperties{Int(strconv.Itoa(i)), g.properties()})
		}
	}
	return p
}

func (g *generator) transitions(after []string) []Transition {
	var list []Transition
	for range g.IntN(3) {
		t := Transition{Action: pick(g, End, Fail, Stop), On: g.filled(), ExitStatus: g.text()}
		if len(after) > 0 && g.maybe() {
			t = Transition{Action: Next, On: g.filled(), To: pick(g, after...)}
		}
		list = append(list, t)
	}
	return list
}
