package jobflow_test

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// The notation of jobs in these tests, with spaces between elements:
//
//	a          a step
//	a>b        ... with the attribute next
//	a!         ... with allow-start-if-complete
//	a#3        ... with start-limit 3
//	f{a b}     a flow
//	s(f{a} g{b})  a split
//	d?         a decision
//	a[...]     transitions, each one of
//	             X->b            next
//	             X=end           end; also X=end/EXIT
//	             X=fail          fail; also X=fail/EXIT
//	             X=stop          stop; also X=stop/EXIT@b, X=stop@b
//
// For example: a#2>b[FAILED->c *=end/EARLY] b c

// readJob reads a job. It checks its targets only if the test wants that.
func readJob(t *testing.T, text string) *jsl.Job {
	t.Helper()
	p := &notation{t: t, text: text}
	j := &jsl.Job{ID: "job", Elements: p.readElements()}
	if p.at != len(p.text) {
		t.Fatalf("job %q: unread from %q", text, p.text[p.at:])
	}
	return j
}

type notation struct {
	t    *testing.T
	text string
	at   int
}

func (p *notation) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *notation) accept(c byte) bool {
	if p.peek() == c {
		p.at++
		return true
	}
	return false
}

func (p *notation) want(c byte) {
	if !p.accept(c) {
		p.t.Fatalf("job %q: want %q at %q", p.text, string(c), p.text[p.at:])
	}
}

func (p *notation) readName(stop string) string {
	start := p.at
	for p.at < len(p.text) && !strings.ContainsRune(stop, rune(p.text[p.at])) {
		p.at++
	}
	return p.text[start:p.at]
}

const ends = " >!#{}()?[]@/"

func (p *notation) readElements() []jsl.Element {
	var all []jsl.Element
	for {
		for p.accept(' ') {
		}
		if c := p.peek(); c == 0 || c == '}' || c == ')' {
			return all
		}
		all = append(all, p.readElement())
	}
}

func (p *notation) readElement() jsl.Element {
	id := p.readName(ends)
	if id == "" {
		p.t.Fatalf("job %q: want a name at %q", p.text, p.text[p.at:])
	}
	switch {
	case p.accept('{'):
		f := &jsl.Flow{ID: id, Elements: p.readElements()}
		p.want('}')
		f.Next, f.Transitions = p.readExits()
		return f
	case p.accept('('):
		s := &jsl.Split{ID: id}
		for _, e := range p.readElements() {
			s.Flows = append(s.Flows, e.(*jsl.Flow))
		}
		p.want(')')
		s.Next, _ = p.readExits()
		return s
	case p.accept('?'):
		d := &jsl.Decision{ID: id, Decider: jsl.Artifact{Ref: "decider"}}
		_, d.Transitions = p.readExits()
		return d
	}
	s := &jsl.Step{ID: id}
	if p.accept('!') {
		s.AllowStartIfComplete = "true"
	}
	if p.accept('#') {
		s.StartLimit = jsl.Int(p.readName(ends))
	}
	s.Next, s.Transitions = p.readExits()
	return s
}

func (p *notation) readExits() (next string, all []jsl.Transition) {
	if p.accept('>') {
		next = p.readName(ends)
	}
	if !p.accept('[') {
		return next, nil
	}
	for !p.accept(']') {
		for p.accept(' ') {
		}
		all = append(all, p.readTransition())
		for p.accept(' ') {
		}
	}
	return next, all
}

func (p *notation) readTransition() jsl.Transition {
	word := p.readName(" ]")
	if on, to, ok := strings.Cut(word, "->"); ok {
		return jsl.Transition{Action: jsl.Next, On: on, To: to}
	}
	on, action, ok := strings.Cut(word, "=")
	if !ok {
		p.t.Fatalf("job %q: want a transition at %q", p.text, word)
	}
	action, restart, _ := strings.Cut(action, "@")
	action, exit, _ := strings.Cut(action, "/")
	return jsl.Transition{Action: jsl.Action(action), On: on, ExitStatus: exit, Restart: restart}
}
