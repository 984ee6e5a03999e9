package jsl

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// What a diagram's editor does, to see that the job that was drawn is the job
// that is read.

// drawable makes a valid job of what a diagram can say, in the order in which
// it is read.
func (g *generator) drawable() *Job {
	g.ids = 0
	j := &Job{ID: "JOB_1", Properties: g.properties(), Listeners: g.artifacts(), Elements: g.drawables(3)}
	j.fillDefaults()
	return j
}

// drawables are joined one after the other, so that there is one start.
func (g *generator) drawables(depth int) []Element {
	ids := make([]string, 1+g.IntN(3))
	for i := range ids {
		ids[i] = g.id()
	}
	var elements []Element
	for i, id := range ids {
		next := ""
		if i+1 < len(ids) {
			next = ids[i+1]
		}
		switch kind := g.IntN(5); {
		case kind == 0 && depth > 0:
			elements = append(elements, &Flow{ID: id, Elements: g.drawables(depth - 1), Transitions: g.arrows(next)})
		case kind == 1 && depth > 0:
			s := &Split{ID: id, Next: next}
			for range 1 + g.IntN(2) {
				s.Flows = append(s.Flows, &Flow{ID: g.id(), Elements: g.drawables(depth - 1), Transitions: g.arrows("")})
			}
			elements = append(elements, s)
		default:
			elements = append(elements, g.drawableStep(id, next))
		}
	}
	return elements
}

func (g *generator) drawableStep(id, next string) *Step {
	s := g.step(id, "", nil)
	s.Partition, s.Transitions = nil, g.arrows(next)
	if c := s.Chunk; c != nil {
		c.CheckpointPolicy = "item"
		c.CheckpointAlgorithm, c.Skippable, c.Retryable, c.NoRollback = nil, nil, nil, nil
	}
	return s
}

// arrows lead to ends, and in any case to next.
func (g *generator) arrows(next string) []Transition {
	list := g.transitions(nil)
	if next != "" {
		list = append(list, Transition{Action: Next, On: always, To: next})
	}
	return list
}

// drawing is a diagram in the making.
type drawing struct {
	*generator
	names  map[string]string // ids in the diagram by those in the job; others are the same
	led    map[string]bool   // what an arrow leads to
	beside []string          // ends and arrows, which may be anywhere
	n      int               // ids so far
}

// draw writes the job as a diagram, with everything that has no order in any.
func (g *generator) draw(j *Job) string {
	d := &drawing{generator: g, names: map[string]string{}, led: map[string]bool{}}
	j.Walk(func(_ string, e Element) {
		d.names[e.ElementID()] = e.ElementID()
		if g.maybe() {
			d.names[e.ElementID()] = d.id()
		}
	})
	parts := append(d.elements(j.Elements), d.extension(j.Properties))
	parts = append(parts, `<jsr352:start id="start">`+d.arrow("", j.Elements[0].ElementID())+`</jsr352:start>`)
	listeners := d.listeners(j.Listeners)
	g.Shuffle(len(parts), func(i, k int) { parts[i], parts[k] = parts[k], parts[i] })
	return "<bpmn:definitions>" + tag("jsr352:job", "id", "Job_1", "bpmn:name", j.ID) + listeners +
		strings.Join(parts, "\n") + strings.Join(d.beside, "\n") + "</jsr352:job></bpmn:definitions>\n"
}

func (d *drawing) id() string {
	d.n++
	return fmt.Sprintf("Drawn_%d", d.n)
}

// elements draws those that are led to in their order, as they are appended;
// the first may be anywhere.
func (d *drawing) elements(elements []Element) []string {
	var parts []string
	for _, e := range elements {
		parts = append(parts, d.element(e))
	}
	at := d.IntN(len(parts))
	moved := append(append([]string{}, parts[1:at+1]...), parts[0])
	return []string{strings.Join(append(moved, parts[at+1:]...), "\n")}
}

func (d *drawing) element(e Element) string {
	id := e.ElementID()
	attributes := []string{"id", d.names[id]}
	if d.names[id] != id {
		attributes = append(attributes, "name", id)
	}
	in := ""
	if d.led[id] {
		in = "<bpmn:incoming>some</bpmn:incoming>"
	}
	switch e := e.(type) {
	case *Step:
		attributes = append(attributes, "start-limit", string(e.StartLimit), "allow-start-if-complete", string(e.AllowStartIfComplete))
		return tag("jsr352:step", attributes...) + in + d.outgoing(e.Transitions) + d.work(e) + d.extension(e.Properties) + d.listeners(e.Listeners) + "</jsr352:step>"
	case *Flow:
		return tag("jsr352:flow", attributes...) + in + d.outgoing(e.Transitions) + strings.Join(d.elements(e.Elements), "") + "</jsr352:flow>"
	}
	s := e.(*Split)
	text := tag("jsr352:split", attributes...) + in
	if s.Next != "" {
		text += d.arrow("", s.Next)
	}
	for _, f := range s.Flows {
		text += d.element(f)
	}
	return text + "</jsr352:split>"
}

func (d *drawing) work(s *Step) string {
	if s.Batchlet != nil {
		return d.artifact("jsr352:batchlet", s.Batchlet)
	}
	c := s.Chunk
	if c == nil {
		return ""
	}
	return tag("jsr352:chunk", "checkpoint-policy", c.CheckpointPolicy, "item-count", string(c.ItemCount), "time-limit", string(c.TimeLimit),
		"skip-limit", string(c.SkipLimit), "retry-limit", string(c.RetryLimit)) +
		d.artifact("jsr352:writer", c.Writer) + d.artifact("jsr352:reader", c.Reader) + d.artifact("jsr352:processor", c.Processor) + "</jsr352:chunk>"
}

func (d *drawing) artifact(name string, a *Artifact) string {
	if a == nil {
		return ""
	}
	return tag(name, "id", d.id(), "ref", a.Ref) + d.extension(a.Properties) + "</" + name + ">"
}

func (d *drawing) listeners(artifacts []Artifact) (text string) {
	for i := range artifacts {
		text += d.artifact("jsr352:listener", &artifacts[i])
	}
	return text
}

func (d *drawing) extension(p Properties) string {
	text := "<bpmn:extensionElements><camunda:properties>"
	for _, prop := range p {
		text += tag("camunda:property", "name", prop.Name, "value", prop.Value) + "</camunda:property>"
	}
	return text + "</camunda:properties></bpmn:extensionElements>"
}

// outgoing draws the transitions; where the one for any exit status is among
// the others does not matter.
func (d *drawing) outgoing(transitions []Transition) (text string) {
	for _, t := range transitions {
		out := ""
		if t.Action == Next {
			out = d.arrow("", t.To)
		} else {
			end := d.id()
			d.beside = append(d.beside, tag("jsr352:"+string(t.Action), "id", end, "exit-status", t.ExitStatus)+"</jsr352:"+string(t.Action)+">")
			out = d.arrow(t.On, end)
		}
		if t.Action == Next && d.maybe() {
			text = out + text
		} else {
			text += out
		}
	}
	return text
}

// arrow draws one, and returns what says that it begins here.
func (d *drawing) arrow(on, to string) string {
	id := d.id()
	d.led[to] = true
	if drawn, ok := d.names[to]; ok {
		to = drawn
	}
	d.beside = append(d.beside, tag("jsr352:transition", "id", id, "targetRef", to, "on", on)+"</jsr352:transition>")
	return "<bpmn:outgoing>" + id + "</bpmn:outgoing>"
}

// tag leaves out attributes that are empty, as the editor does.
func tag(name string, attributes ...string) string {
	var b strings.Builder
	b.WriteString("<" + name)
	for i := 0; i < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			b.WriteString(" " + attributes[i] + `="`)
			_ = xml.EscapeText(&b, []byte(attributes[i+1])) // a Builder does not fail
			b.WriteString(`"`)
		}
	}
	return b.String() + ">"
}
