package jsl

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// This file draws jobs as the diagram editor does, to test that reading the
// diagram returns the job that was drawn.

// randomDrawable returns a valid job that a diagram can express, in the order
// in which it is read.
func (g *generator) randomDrawable() *Job {
	g.ids = 0
	j := &Job{ID: "JOB_1", Properties: g.randomProperties(), Listeners: g.randomArtifacts(), Elements: g.drawableElements(3)}
	j.fillDefaults()
	return j
}

// drawableElements returns elements joined in a chain, so that there is one
// start.
func (g *generator) drawableElements(depth int) []Element {
	ids := make([]string, 1+g.IntN(3))
	for i := range ids {
		ids[i] = g.newID()
	}
	var elements []Element
	for i, id := range ids {
		next := ""
		if i+1 < len(ids) {
			next = ids[i+1]
		}
		switch kind := g.IntN(5); {
		case kind == 0 && depth > 0:
			elements = append(elements, &Flow{ID: id, Elements: g.drawableElements(depth - 1), Transitions: g.drawableTransitions(next)})
		case kind == 1 && depth > 0:
			s := &Split{ID: id, Next: next}
			for range 1 + g.IntN(2) {
				s.Flows = append(s.Flows, &Flow{ID: g.newID(), Elements: g.drawableElements(depth - 1), Transitions: g.drawableTransitions("")})
			}
			elements = append(elements, s)
		default:
			elements = append(elements, g.drawableStep(id, next))
		}
	}
	return elements
}

func (g *generator) drawableStep(id, next string) *Step {
	s := g.randomStep(id, "", nil)
	s.Partition, s.Transitions = nil, g.drawableTransitions(next)
	if c := s.Chunk; c != nil {
		c.CheckpointPolicy = "item"
		c.CheckpointAlgorithm, c.Skippable, c.Retryable, c.NoRollback = nil, nil, nil, nil
	}
	return s
}

// drawableTransitions returns transitions that lead to ends, and one to next.
func (g *generator) drawableTransitions(next string) []Transition {
	list := g.randomTransitions(nil)
	if next != "" {
		list = append(list, Transition{Action: Next, On: anyExitStatus, To: next})
	}
	return list
}

// drawing is an unfinished diagram.
type drawing struct {
	*generator
	names  map[string]string // ids in the diagram by ids in the job
	led    map[string]bool   // ids that an arrow leads to
	beside []string          // ends and arrows, which may be anywhere
	n      int               // ids so far
}

// drawJob writes the job as a diagram. Where the order has no meaning, it is
// random.
func (g *generator) drawJob(j *Job) string {
	d := &drawing{generator: g, names: map[string]string{}, led: map[string]bool{}}
	j.Walk(func(_ string, e Element) {
		d.names[e.ElementID()] = e.ElementID()
		if g.coinFlip() {
			d.names[e.ElementID()] = d.newID()
		}
	})
	parts := append(d.drawElements(j.Elements), d.drawProperties(j.Properties))
	parts = append(parts, `<jsr352:start id="start">`+d.drawArrow("", j.Elements[0].ElementID())+`</jsr352:start>`)
	listeners := d.drawListeners(j.Listeners)
	g.Shuffle(len(parts), func(i, k int) { parts[i], parts[k] = parts[k], parts[i] })
	return "<bpmn:definitions>" + xmlTag("jsr352:job", "id", "Job_1", "bpmn:name", j.ID) + listeners +
		strings.Join(parts, "\n") + strings.Join(d.beside, "\n") + "</jsr352:job></bpmn:definitions>\n"
}

func (d *drawing) newID() string {
	d.n++
	return fmt.Sprintf("Drawn_%d", d.n)
}

// drawElements draws the elements that have an arrow to them in order, as the
// editor appends them. The first element may be anywhere.
func (d *drawing) drawElements(elements []Element) []string {
	var parts []string
	for _, e := range elements {
		parts = append(parts, d.drawElement(e))
	}
	at := d.IntN(len(parts))
	moved := append(append([]string{}, parts[1:at+1]...), parts[0])
	return []string{strings.Join(append(moved, parts[at+1:]...), "\n")}
}

func (d *drawing) drawElement(e Element) string {
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
		return xmlTag("jsr352:step", attributes...) + in + d.drawTransitions(e.Transitions) + d.drawWork(e) + d.drawProperties(e.Properties) + d.drawListeners(e.Listeners) + "</jsr352:step>"
	case *Flow:
		return xmlTag("jsr352:flow", attributes...) + in + d.drawTransitions(e.Transitions) + strings.Join(d.drawElements(e.Elements), "") + "</jsr352:flow>"
	}
	s := e.(*Split)
	text := xmlTag("jsr352:split", attributes...) + in
	if s.Next != "" {
		text += d.drawArrow("", s.Next)
	}
	for _, f := range s.Flows {
		text += d.drawElement(f)
	}
	return text + "</jsr352:split>"
}

func (d *drawing) drawWork(s *Step) string {
	if s.Batchlet != nil {
		return d.drawArtifact("jsr352:batchlet", s.Batchlet)
	}
	c := s.Chunk
	if c == nil {
		return ""
	}
	return xmlTag("jsr352:chunk", "checkpoint-policy", c.CheckpointPolicy, "item-count", string(c.ItemCount), "time-limit", string(c.TimeLimit),
		"skip-limit", string(c.SkipLimit), "retry-limit", string(c.RetryLimit)) +
		d.drawArtifact("jsr352:writer", c.Writer) + d.drawArtifact("jsr352:reader", c.Reader) + d.drawArtifact("jsr352:processor", c.Processor) + "</jsr352:chunk>"
}

func (d *drawing) drawArtifact(name string, a *Artifact) string {
	if a == nil {
		return ""
	}
	return xmlTag(name, "id", d.newID(), "ref", a.Ref) + d.drawProperties(a.Properties) + "</" + name + ">"
}

func (d *drawing) drawListeners(artifacts []Artifact) (text string) {
	for i := range artifacts {
		text += d.drawArtifact("jsr352:listener", &artifacts[i])
	}
	return text
}

func (d *drawing) drawProperties(p Properties) string {
	text := "<bpmn:extensionElements><camunda:properties>"
	for _, prop := range p {
		text += xmlTag("camunda:property", "name", prop.Name, "value", prop.Value) + "</camunda:property>"
	}
	return text + "</camunda:properties></bpmn:extensionElements>"
}

// drawTransitions draws the transitions, with the one for any exit status
// anywhere among the others.
func (d *drawing) drawTransitions(transitions []Transition) (text string) {
	for _, t := range transitions {
		out := ""
		if t.Action == Next {
			out = d.drawArrow("", t.To)
		} else {
			end := d.newID()
			d.beside = append(d.beside, xmlTag("jsr352:"+string(t.Action), "id", end, "exit-status", t.ExitStatus)+"</jsr352:"+string(t.Action)+">")
			out = d.drawArrow(t.On, end)
		}
		if t.Action == Next && d.coinFlip() {
			text = out + text
		} else {
			text += out
		}
	}
	return text
}

// drawArrow draws an arrow, and returns the XML by which its source refers to
// it.
func (d *drawing) drawArrow(on, to string) string {
	id := d.newID()
	d.led[to] = true
	if drawn, ok := d.names[to]; ok {
		to = drawn
	}
	d.beside = append(d.beside, xmlTag("jsr352:transition", "id", id, "targetRef", to, "on", on)+"</jsr352:transition>")
	return "<bpmn:outgoing>" + id + "</bpmn:outgoing>"
}

// xmlTag returns a tag without empty attributes, as the editor writes it.
func xmlTag(name string, attributes ...string) string {
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
