package jsl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

// generator returns random valid jobs that use every feature of a job.
type generator struct {
	*rand.Rand
	ids int
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 1))} }

// longEnv is an environment variable. If it is 1, the tests with generated jobs
// generate many more.
const longEnv = "JOBSTREAMER_TEST_LONG"

// seedCount returns how many jobs a test generates: few by default, many if
// longEnv is set. Seeds count from 0, so the few are among the many.
func seedCount(few, many uint64) uint64 {
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

func pickOne[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) randomText() string       { return pickOne(g, strange...) }
func (g *generator) randomFilledText() string { return pickOne(g, strange[1:]...) }
func (g *generator) coinFlip() bool           { return g.IntN(2) == 0 }

func (g *generator) newID() string {
	g.ids++
	return pickOne(g, "step-", "ステップ ", "#", "a/b~", "") + strconv.Itoa(g.ids)
}

func (g *generator) randomInt(least int) Int {
	return pickOne(g, "", Int(strconv.Itoa(least+g.IntN(1000))), "#{jobParameters['n']}?:7;")
}

func (g *generator) randomBool() Bool {
	return pickOne[Bool](g, "", "true", "false", "#{jobParameters['b']}")
}

func (g *generator) randomJob() *Job {
	g.ids = 0
	j := &Job{
		ID:          pickOne(g, "JOB_", "夜間.", "007") + strconv.Itoa(g.IntN(100)) + "-x",
		Restartable: g.randomBool(),
		Properties:  g.randomProperties(),
		Listeners:   g.randomArtifacts(),
		Exclusive:   g.coinFlip(),
		Pool:        pickOne(g, DefaultPool, "big_iron"),
		Priority:    pickOne(g, PriorityHigh, PriorityNormal, PriorityLow),
		OnAgentLost: pickOne(g, LostFailed, LostRequeue),
		MaxAttempts: pickOne(g, 1, DefaultMaxAttempts, 9),
		Retry:       g.randomRetry(),
		Log:         pickOne(g, LogComplete, LogLossy),
		Namespace:   pickOne(g, JavaEE, JakartaEE),
	}
	for _, name := range []string{"db", "Api-2", "007"} {
		if g.coinFlip() {
			j.Limits = append(j.Limits, LimitUse{name, 1 + g.IntN(9)})
		}
	}
	if j.Timeout = pickOne(g, "", "90m"); j.Timeout != "" {
		j.TimeoutGrace = pickOne(g, "", "0s", "1m")
	}
	if j.Restartable == "false" {
		j.Retry = nil
	}
	j.Elements = g.randomElements(3)
	j.UnsafeSubstitution = g.coinFlip() || j.Validate() != nil
	return j
}

func (g *generator) randomRetry() *Retry {
	if g.coinFlip() {
		return nil
	}
	r := &Retry{Attempts: 2 + g.IntN(9), Backoff: pickOne(g, "", "0s", "1m30s"), MaxBackoff: pickOne(g, "", "2h")}
	for range g.IntN(3) {
		r.On = append(r.On, g.randomFilledText())
	}
	for range g.IntN(3) {
		r.NotOn = append(r.NotOn, g.randomFilledText())
	}
	return r
}

func (g *generator) randomProperties() Properties {
	var p Properties
	for i := range g.IntN(4) {
		p = append(p, Property{fmt.Sprint(g.randomText(), i), g.randomText()})
	}
	g.Shuffle(len(p), func(i, k int) { p[i], p[k] = p[k], p[i] })
	return p
}

func (g *generator) randomArtifact() *Artifact {
	return &Artifact{Ref: g.randomFilledText(), Properties: g.randomProperties()}
}

func (g *generator) optionalArtifact() *Artifact {
	if g.coinFlip() {
		return nil
	}
	return g.randomArtifact()
}

func (g *generator) randomArtifacts() []Artifact {
	var a []Artifact
	for range g.IntN(3) {
		a = append(a, *g.randomArtifact())
	}
	return a
}

// randomElements returns elements that lead only forward. The first one is of a
// kind that may be first.
func (g *generator) randomElements(depth int) []Element {
	n := 1 + g.IntN(3)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = g.newID()
	}
	var elements []Element
	for i, id := range ids {
		after := ids[i+1:]
		next := ""
		if len(after) > 0 && g.coinFlip() {
			next = pickOne(g, after...)
		}
		switch kind := g.IntN(6); {
		case kind == 0 && depth > 0:
			elements = append(elements, &Flow{id, next, g.randomElements(depth - 1), g.randomTransitions(after)})
		case kind == 1 && depth > 0:
			s := &Split{ID: id, Next: next}
			for range 1 + g.IntN(2) {
				s.Flows = append(s.Flows, &Flow{ID: g.newID(), Elements: g.randomElements(depth - 1), Transitions: g.randomTransitions(nil)})
			}
			elements = append(elements, s)
		case kind == 2 && i > 0:
			elements = append(elements, &Decision{id, *g.randomArtifact(), g.randomTransitions(after)})
		default:
			elements = append(elements, g.randomStep(id, next, after))
		}
	}
	return elements
}

func (g *generator) randomStep(id, next string, after []string) *Step {
	s := &Step{
		ID: id, Next: next, StartLimit: g.randomInt(0), AllowStartIfComplete: g.randomBool(),
		Properties: g.randomProperties(), Listeners: g.randomArtifacts(), Transitions: g.randomTransitions(after),
	}
	switch g.IntN(3) {
	case 0:
		s.Batchlet = g.randomArtifact()
	case 1:
		s.Chunk = g.randomChunk()
	}
	if g.coinFlip() {
		s.Partition = g.randomPartition()
	}
	return s
}

func (g *generator) randomChunk() *Chunk {
	return &Chunk{
		CheckpointPolicy: pickOne(g, "", "item", "custom", "#{jobParameters['policy']}"),
		ItemCount:        g.randomInt(1), TimeLimit: g.randomInt(0), SkipLimit: g.randomInt(0), RetryLimit: g.randomInt(0),
		Reader: g.randomArtifact(), Processor: g.optionalArtifact(), Writer: g.randomArtifact(), CheckpointAlgorithm: g.randomArtifact(),
		Skippable: g.randomClasses(), Retryable: g.randomClasses(), NoRollback: g.randomClasses(),
	}
}

func (g *generator) randomClasses() *ExceptionClasses {
	if g.coinFlip() {
		return nil
	}
	c := &ExceptionClasses{}
	for range g.IntN(3) {
		c.Include = append(c.Include, g.randomFilledText())
	}
	for range g.IntN(3) {
		c.Exclude = append(c.Exclude, g.randomFilledText())
	}
	return c
}

func (g *generator) randomPartition() *Partition {
	p := &Partition{Collector: g.optionalArtifact(), Analyzer: g.optionalArtifact(), Reducer: g.optionalArtifact()}
	switch g.IntN(3) {
	case 0:
		p.Mapper = g.randomArtifact()
	case 1:
		p.Plan = &Plan{Partitions: "4", Threads: g.randomInt(1)}
		for i := range g.IntN(4) {
			p.Plan.Properties = append(p.Plan.Properties, PartitionProperties{Int(strconv.Itoa(i)), g.randomProperties()})
		}
	}
	return p
}

func (g *generator) randomTransitions(after []string) []Transition {
	var list []Transition
	for range g.IntN(3) {
		t := Transition{Action: pickOne(g, End, Fail, Stop), On: g.randomFilledText(), ExitStatus: g.randomText()}
		if len(after) > 0 && g.coinFlip() {
			t = Transition{Action: Next, On: g.randomFilledText(), To: pickOne(g, after...)}
		}
		list = append(list, t)
	}
	return list
}
