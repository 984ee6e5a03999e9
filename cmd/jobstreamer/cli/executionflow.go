package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// shownExecution is an execution with the present definition of its job.
type shownExecution struct {
	*rest.Execution
	job *jsl.Job // nil: the job is gone, or may not be read
}

// readShownExecution reads an execution, and the definition that its flow is
// drawn by.
func (inv *invocation) readShownExecution(c *client.Client, job string, id int64) (*shownExecution, error) {
	e, err := c.Execution(inv.ctx, inv.app, job, id)
	if err != nil || !inv.printsTables() {
		return &shownExecution{Execution: e}, err
	}
	var definition bytes.Buffer
	if c.Definition(inv.ctx, inv.app, e.Job, "application/json", &definition) != nil {
		return &shownExecution{Execution: e}, nil // without it, the steps are a list
	}
	parsed, err := jsl.Restore(definition.Bytes())
	if err != nil {
		return &shownExecution{Execution: e}, nil
	}
	return &shownExecution{e, parsed}, nil
}

// hasFlow reports whether a job is more than a list of batchlet steps.
func hasFlow(j *jsl.Job) bool {
	more := false
	j.Walk(func(_ string, e jsl.Element) {
		s, isStep := e.(*jsl.Step)
		more = more || !isStep || s.Chunk != nil || s.Partition != nil || len(s.Transitions) > 0
	})
	return more
}

// flowDrawing draws the elements of a job with what became of them in an
// execution. Flows of a split are lanes, each with a bar of its own.
type flowDrawing struct {
	p       *page
	e       *rest.Execution
	job     *jsl.Job
	steps   map[string]*rest.StepExecution // the newest execution of each step
	earlier map[string]*rest.EarlierStep
	lines   []flowLine
}

// flowLine is a line of the drawing.
type flowLine struct {
	bars, name string
	current    bool
	status     cell
	exit, took string
	notes      []cell // each on a line of its own below
}

// drawFlow draws the flow of a job's execution.
func drawFlow(p *page, e *rest.Execution, j *jsl.Job) {
	d := &flowDrawing{p: p, e: e, job: j, steps: map[string]*rest.StepExecution{}, earlier: map[string]*rest.EarlierStep{}}
	for i := range e.StepExecutions {
		d.steps[e.StepExecutions[i].StepName] = &e.StepExecutions[i]
	}
	for i := range e.EarlierSteps {
		d.earlier[e.EarlierSteps[i].StepName] = &e.EarlierSteps[i]
	}
	d.addElements("", j.Elements)
	for _, name := range stepsOutside(e, j) {
		d.addStep("", name, nil)
		last := &d.lines[len(d.lines)-1]
		last.notes = append(last.notes, cell{"the job has no such step any more", faint})
	}
	p.writeTitle("Flow")
	d.writeLines()
}

// stepsOutside returns the steps of an execution that its job no longer has.
func stepsOutside(e *rest.Execution, j *jsl.Job) (names []string) {
	for i := range e.StepExecutions {
		name := e.StepExecutions[i].StepName
		if _, isStep := j.Find(name).(*jsl.Step); !isStep && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (d *flowDrawing) addElements(bars string, all []jsl.Element) {
	for _, e := range all {
		switch e := e.(type) {
		case *jsl.Step:
			d.addStep(bars, e.ID, e)
		case *jsl.Flow:
			d.addFlow(bars, e)
		case *jsl.Split:
			d.add(flowLine{bars: bars, name: e.ID, status: cell{"split of " + countText(len(e.Flows), "flow", "flows"), faint}})
			for _, f := range e.Flows {
				d.addFlow(bars+"| ", f)
			}
		case *jsl.Decision:
			d.addDecision(bars, e)
		}
	}
}

func (d *flowDrawing) add(l flowLine) { d.lines = append(d.lines, l) }

func (d *flowDrawing) addFlow(bars string, f *jsl.Flow) {
	d.add(flowLine{bars: bars, name: f.ID, status: cell{"flow", faint}})
	d.addElements(bars+"  ", f.Elements)
}

// addStep adds a step. s is nil if the job no longer has it.
func (d *flowDrawing) addStep(bars, name string, s *jsl.Step) {
	l := flowLine{bars: bars, name: name}
	x, before := d.steps[name], d.earlier[name]
	switch {
	case x != nil:
		l.current, l.status, l.exit = x.BatchStatus.Running(), statusCell(x.BatchStatus), ownExit(x.ExitStatus, x.BatchStatus)
		l.took = d.p.tookText(x.StartTime, x.EndTime)
		if before != nil {
			l.notes = append(l.notes, cell{fmt.Sprintf("start %d; it was %s %s", before.Starts+1, before.BatchStatus, whereBefore(before)), faint})
		}
		l.notes = append(l.notes, d.notesOf(x)...)
	case before != nil:
		l.status, l.exit, l.took = statusCell(before.BatchStatus), ownExit(before.ExitStatus, before.BatchStatus), d.p.tookText(before.StartTime, before.EndTime)
		l.notes = append(l.notes, cell{whereBefore(before), faint})
	case d.e.BatchStatus.Ended():
		l.status = cell{"not run", faint}
	default:
		l.status = cell{"not yet", faint}
	}
	if s != nil && x == nil && before == nil && s.Partition != nil {
		l.notes = append(l.notes, cell{"in partitions", faint})
	}
	d.add(l)
}

// whereBefore says in which execution a step began last.
func whereBefore(s *rest.EarlierStep) string {
	if s.ExecutionID == nil {
		return "in an earlier execution"
	}
	return fmt.Sprintf("in execution %d", *s.ExecutionID)
}

// notesOf returns what else there is to say about a step that has begun.
func (d *flowDrawing) notesOf(x *rest.StepExecution) (notes []cell) {
	if x.Metrics != nil {
		notes = append(notes, cell{metricsText(x.Metrics), ""})
	}
	if x.PartitionCount != nil {
		notes = append(notes, cell{partitionsText(*x.PartitionCount, x.Partitions), ""})
	}
	if len(x.Values) > 0 {
		notes = append(notes, cell{"sets " + valuesText(x.Values), ""})
	}
	if x.Exception != nil {
		notes = append(notes, cell{oneLine(*x.Exception), red})
	}
	for i := range x.Partitions {
		if p := &x.Partitions[i]; p.Exception != nil && len(notes) < 6 {
			notes = append(notes, cell{fmt.Sprintf("partition %d: %s", p.Number, oneLine(*p.Exception)), red})
		}
	}
	return notes
}

// metricsText returns the counts that are not zero.
func metricsText(m *rest.Metrics) string {
	var all []string
	for _, c := range []struct {
		n         int64
		one, more string
	}{
		{m.Read, "read", "read"}, {m.Write, "written", "written"},
		{m.Commit, "chunk committed", "chunks committed"}, {m.Filter, "filtered", "filtered"},
		{m.Rollback, "chunk rolled back", "chunks rolled back"}, {m.ReadSkip, "skipped in reading", "skipped in reading"},
		{m.ProcessSkip, "skipped in processing", "skipped in processing"}, {m.WriteSkip, "skipped in writing", "skipped in writing"},
	} {
		if c.n > 0 {
			all = append(all, countText(int(c.n), c.one, c.more))
		}
	}
	return strings.Join(all, ", ")
}

// What the values of a step take on one line; -o json has all of them.
const (
	shownValues = 8  // names
	shownValue  = 40 // columns of a text
)

// valuesText returns the values that a step has set for later steps, by name.
// Long texts are cut.
func valuesText(values map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(all) == shownValues {
			all = append(all, fmt.Sprintf("%s %d more", ellipsis, len(values)-shownValues))
			break
		}
		all = append(all, printable(name)+" = "+cutText(oneLine(values[name]), shownValue))
	}
	return strings.Join(all, ", ")
}

// partitionsText counts the partitions by their status.
func partitionsText(count int, all []rest.Partition) string {
	byStatus := map[subjects.BatchStatus]int{}
	for i := range all {
		byStatus[all[i].BatchStatus]++
	}
	text := countText(count, "partition", "partitions")
	var parts []string
	for _, s := range subjects.BatchStatuses() {
		if n := byStatus[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if n := count - len(all); n > 0 {
		parts = append(parts, fmt.Sprintf("%d not begun", n))
	}
	return text + ": " + strings.Join(parts, ", ")
}

// addDecision adds a decision with its transitions. No one reports what a
// decider returned; the element that began says which transition it was.
func (d *flowDrawing) addDecision(bars string, e *jsl.Decision) {
	l := flowLine{bars: bars, name: e.ID, status: cell{"decision", faint}}
	for i := range e.Transitions {
		t := &e.Transitions[i]
		to := string(t.Action)
		if t.Action == jsl.Next {
			to = t.To
		}
		c := cell{fmt.Sprintf("%s: %s", t.On, to), faint}
		if t.Action == jsl.Next && d.hasBegun(t.To) {
			c = cell{c.text + " (taken)", ""}
		}
		l.notes = append(l.notes, c)
	}
	d.add(l)
}

// hasBegun reports whether an element, or a step within it, has begun in this
// execution.
func (d *flowDrawing) hasBegun(id string) bool {
	begun := false
	inside := &jsl.Job{Elements: []jsl.Element{d.job.Find(id)}}
	inside.Walk(func(_ string, e jsl.Element) {
		begun = begun || e != nil && d.steps[e.ElementID()] != nil
	})
	return begun
}

// writeLines writes the drawing in columns, fitted to the width of the page.
func (d *flowDrawing) writeLines() {
	name, status, exit, took := 0, 0, 0, 0
	for i := range d.lines {
		l := &d.lines[i]
		l.name, l.exit = printable(l.name), oneLine(l.exit)
		name = max(name, displayWidth(l.bars+l.name))
		status, exit, took = max(status, displayWidth(l.status.text)), max(exit, displayWidth(l.exit)), max(took, displayWidth(l.took))
	}
	const mark = 2
	if d.p.width > 0 {
		exit = min(exit, max(8, d.p.width/5))
		name = min(name, max(12, d.p.width-mark-status-exit-took-3*len(gap)))
	}
	for i := range d.lines {
		l := &d.lines[i]
		m := "  "
		if l.current {
			m = d.p.inColor(cyan, "> ")
		}
		label := cutText(l.bars+l.name, name)
		line := m + label + spaces(name-displayWidth(label)) + gap +
			d.p.inColor(l.status.color, l.status.text) + spaces(status-displayWidth(l.status.text)) + gap
		e := cutText(l.exit, exit)
		line += e + spaces(exit-displayWidth(e)) + gap + spaces(took-displayWidth(l.took)) + l.took
		fmt.Fprintln(d.p, strings.TrimRight(line, " "))
		bars := strings.Repeat(" ", mark) + l.bars + "    "
		for _, n := range l.notes {
			text := printable(n.text)
			if d.p.width > 0 {
				text = cutText(text, max(10, d.p.width-displayWidth(bars)))
			}
			fmt.Fprintln(d.p, bars+d.p.inColor(n.color, text))
		}
	}
}

func spaces(n int) string { return strings.Repeat(" ", max(0, n)) }
