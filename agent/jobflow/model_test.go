package jobflow_test

import (
	"fmt"
	"strings"
)

// This file is a second, slow and simple reading of the rules, for comparison.
// It shares no code with the package: its own form of a job, its own patterns,
// its own history of steps.

// node is an element of a job: a step 's', flow 'f', split 'p' or decision 'd'.
type node struct {
	kind  byte
	id    string
	next  string
	rules []mrule
	kids  []*node // of a flow or split
	again bool    // allow-start-if-complete
	limit int
}

// mrule is a transition element: act is next, end, fail or stop.
type mrule struct{ on, act, to, exit, restart string }

// String returns the node in the notation of readJob.
func (n *node) String() string {
	text := n.id
	switch n.kind {
	case 'f':
		text += "{" + join(n.kids) + "}"
	case 'p':
		text += "(" + join(n.kids) + ")"
	case 'd':
		text += "?"
	}
	if n.again {
		text += "!"
	}
	if n.limit > 0 {
		text += fmt.Sprint("#", n.limit)
	}
	if n.next != "" {
		text += ">" + n.next
	}
	var rules []string
	for _, r := range n.rules {
		rule := r.on + "=" + r.act
		if r.act == "next" {
			rule = r.on + "->" + r.to
		}
		if r.exit != "" {
			rule += "/" + r.exit
		}
		if r.restart != "" {
			rule += "@" + r.restart
		}
		rules = append(rules, rule)
	}
	if len(rules) > 0 {
		text += "[" + strings.Join(rules, " ") + "]"
	}
	return text
}

func join(nodes []*node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.String())
	}
	return strings.Join(all, " ")
}

// memory is what a job instance remembers of a step.
type memory struct {
	status, exit string
	starts       int
}

func (m memory) String() string { return shownAs(m.status, m.exit) }

func shownAs(status, exit string) string {
	mark := map[string]string{"FAILED": "!", "STOPPED": "~"}[status]
	if exit == status {
		return mark
	}
	return mark + "=" + exit
}

// model runs a job by the rules.
type model struct {
	job     []*node
	ends    map[string][]string // the script
	calls   map[string]int
	known   map[string]memory
	stopped bool // a stop was requested in this execution
}

// mthread is the job or a flow of a split: its trace and its exit status.
type mthread struct {
	trace []string
	exit  string
	set   bool
}

func (t *mthread) setExit(s string) { t.exit, t.set = s, true }

// verdict is how an element or a scope ended. over is the batch status of the
// job if it is over.
type verdict struct {
	over, exit, restart string   // of the job
	status              string   // of an element that leaves the job going: its exit status
	failed              bool     // it is a failed step
	last                []string // what a decision is shown; nil: nothing ran
}

// execute runs one execution from an element of the job on, and returns its
// trace and end in the form of script.run.
func (m *model) execute(position string) (result, restart string) {
	m.stopped = false
	start, last := m.job[0].id, []string(nil)
	if position != "" {
		start = position
		last = m.before(position)
	}
	t := &mthread{}
	v := m.walk(t, m.job, start, last, false)
	status := v.over
	if status == "" {
		status = "COMPLETED"
	}
	if v.exit != "" {
		t.setExit(v.exit)
	}
	text := strings.TrimSpace(strings.Join(t.trace, " ") + " => " + status)
	if t.exit != "" && t.exit != status {
		text += "/" + t.exit
	}
	if v.restart != "" {
		text += " @" + v.restart
	}
	return text, v.restart
}

// walk follows the elements of one scope.
func (m *model) walk(t *mthread, scope []*node, at string, last []string, inSplit bool) verdict {
	been := ","
	for {
		var n *node
		for _, s := range scope {
			if s.id == at {
				n = s
			}
		}
		// 8.9.4: only siblings. 8.9.3: none twice.
		if n == nil || strings.Contains(been, ","+at+",") {
			return verdict{over: "FAILED"}
		}
		been += at + ","
		if m.stopped { // 11.13
			return verdict{over: "STOPPED"}
		}
		v := m.visit(t, n, last, inSplit)
		if v.over != "" {
			return v
		}
		var rule *mrule // 8.9.1: the first one that matches
		for i := len(n.rules) - 1; i >= 0; i-- {
			if n.kind != 'p' && fits(n.rules[i].on, v.status) {
				rule = &n.rules[i]
			}
		}
		switch {
		case rule != nil && rule.act == "next":
			at = rule.to
		case rule != nil:
			over := map[string]string{"end": "COMPLETED", "fail": "FAILED", "stop": "STOPPED"}[rule.act]
			return verdict{over: over, exit: rule.exit, restart: rule.restart}
		case v.failed || n.kind == 'd': // 8.9.2 rule 1
			return verdict{over: "FAILED"}
		case n.next == "": // rule 3
			return v
		default: // rule 2
			at = n.next
		}
		last = v.last
	}
}

// visit runs one element.
func (m *model) visit(t *mthread, n *node, last []string, inSplit bool) verdict {
	switch n.kind {
	case 's':
		return m.step(t, n)
	case 'f':
		return m.walk(t, n.kids, n.kids[0].id, nil, inSplit)
	case 'd':
		return m.decide(t, n, last)
	}
	all := verdict{status: "COMPLETED"}
	var traces []string
	rank := map[string]int{"": 0, "COMPLETED": 1, "STOPPED": 2, "FAILED": 3}
	for _, f := range n.kids { // 8.4.1
		own := &mthread{exit: t.exit}
		v := m.walk(own, f.kids, f.kids[0].id, nil, true)
		if v.over == "" {
			v = m.leaveSplit(f, v)
		}
		if own.set {
			t.setExit(own.exit)
		}
		if rank[v.over] > rank[all.over] {
			all.over, all.exit, all.restart = v.over, v.exit, v.restart
		}
		all.last = append(all.last, v.last...)
		traces = append(traces, strings.Join(own.trace, " "))
	}
	t.trace = append(t.trace, "{"+strings.Join(traces, "|")+"}")
	return all
}

// leaveSplit applies the transitions of a flow of a split: it can only end the
// job.
func (m *model) leaveSplit(f *node, v verdict) verdict {
	for _, r := range f.rules {
		if fits(r.on, v.status) {
			switch r.act {
			case "end":
				return verdict{over: "COMPLETED", exit: r.exit}
			case "stop":
				return verdict{over: "STOPPED", exit: r.exit, restart: r.restart}
			}
			return verdict{over: "FAILED", exit: r.exit}
		}
	}
	if f.next != "" {
		return verdict{over: "FAILED"}
	}
	return v
}

func (m *model) step(t *mthread, n *node) verdict {
	before, ran := m.known[n.id]
	if ran && before.status == "COMPLETED" && !n.again { // 10.8.4 rule 3a
		shown := n.id + before.String()
		t.trace = append(t.trace, "-"+shown)
		return verdict{status: before.exit, last: []string{shown}}
	}
	if n.limit > 0 && before.starts >= n.limit { // 8.2
		return verdict{over: "FAILED"}
	}
	end := m.end(n.id)
	now := memory{status: "COMPLETED", starts: before.starts + 1}
	if strings.HasPrefix(end, "^") {
		m.stopped, end = true, end[1:]
	}
	switch {
	case strings.HasPrefix(end, "!"):
		now.status, now.exit = "FAILED", end[1:]
	case strings.HasPrefix(end, "~"):
		m.stopped = true
		now.status, now.exit = "STOPPED", end[1:]
	case strings.HasPrefix(end, "job:"):
		t.setExit(end[len("job:"):])
	default:
		now.exit = end
	}
	if now.exit == "" { // 8.7
		now.exit = now.status
	}
	m.known[n.id] = now
	shown := n.id + now.String()
	t.trace = append(t.trace, shown)
	if now.status == "STOPPED" {
		return verdict{over: "STOPPED"}
	}
	return verdict{status: now.exit, failed: now.status == "FAILED", last: []string{shown}}
}

func (m *model) decide(t *mthread, n *node, last []string) verdict {
	if last == nil { // 8.2.5
		return verdict{over: "FAILED"}
	}
	t.trace = append(t.trace, n.id+"("+strings.Join(last, " ")+")")
	end := m.end(n.id)
	if strings.HasPrefix(end, "^") {
		m.stopped, end = true, end[1:]
	}
	switch {
	case end == "~":
		m.stopped = true
		return verdict{over: "STOPPED"}
	case end == "-", end == "", end[0] == '!': // 8.5.2
		return verdict{over: "FAILED"}
	}
	t.setExit(end)
	return verdict{status: end, last: last}
}

// end returns how an element ends this time.
func (m *model) end(id string) string {
	n := m.calls[id]
	m.calls[id]++
	all := m.ends[id]
	if n >= len(all) {
		n = len(all) - 1
	}
	return all[n]
}

// before returns what a decision at the beginning of a restart is shown: the
// last steps of the elements that lead to it, or to a decision that does.
func (m *model) before(position string) []string {
	shown := []string{}
	asked := map[string]bool{}
	todo := []string{position}
	if m.find(position).kind != 'd' {
		return nil
	}
	// Depth first, each decision in the place where it stands.
	for len(todo) > 0 {
		id := todo[0]
		todo = todo[1:]
		if strings.HasPrefix(id, "=") {
			shown = append(shown, m.lastOf(m.find(id[1:]))...)
			continue
		}
		if asked[id] {
			continue
		}
		asked[id] = true
		var found []string
		for _, n := range m.job {
			leads := n.next == id && n.kind != 'd'
			for _, r := range n.rules {
				leads = leads || n.kind != 'p' && r.act == "next" && r.to == id
			}
			if leads && n.kind == 'd' {
				found = append(found, n.id)
			} else if leads {
				found = append(found, "="+n.id)
			}
		}
		todo = append(found, todo...)
	}
	return shown
}

func (m *model) find(id string) *node {
	for _, n := range m.job {
		if n.id == id {
			return n
		}
	}
	return nil
}

// lastOf returns the step with which an element ended in earlier executions: of
// a flow the last one in the document that ran, of a split one of each flow.
func (m *model) lastOf(n *node) (shown []string) {
	switch n.kind {
	case 's':
		if k, ok := m.known[n.id]; ok {
			shown = []string{n.id + k.String()}
		}
	case 'f':
		for _, kid := range n.kids {
			if s := m.lastOf(kid); s != nil {
				shown = s
			}
		}
	case 'p':
		for _, kid := range n.kids {
			shown = append(shown, m.lastOf(kid)...)
		}
	}
	return shown
}

// fits reports whether a pattern matches: * any text, ? one character.
func fits(on, text string) bool {
	switch {
	case on == "":
		return text == ""
	case on[0] == '*':
		return fits(on[1:], text) || text != "" && fits(on, text[1:])
	}
	return text != "" && (on[0] == '?' || on[0] == text[0]) && fits(on[1:], text[1:])
}
