package jsl

import "strconv"

// This file lists the names of the written form, in the order in which they are
// written.

func (j *Job) writtenFields() []field {
	return []field{
		textField("id", &j.ID),
		boolField("restartable", &j.Restartable),
		flagField("exclusive", &j.Exclusive),
		defaultField("pool", &j.Pool, DefaultPool),
		defaultField("priority", &j.Priority, PriorityNormal),
		defaultField("on_agent_lost", &j.OnAgentLost, LostFailed),
		attemptsField(&j.MaxAttempts),
		objectField("retry", &j.Retry),
		limitsField(&j.Limits),
		textField("timeout", &j.Timeout),
		textField("timeout_grace", &j.TimeoutGrace),
		defaultField("log", &j.Log, LogComplete),
		flagField("unsafe_substitution", &j.UnsafeSubstitution),
		defaultField("namespace", &j.Namespace, JavaEE),
		propertiesField(&j.Properties),
		listField("listeners", &j.Listeners),
		elementsField(&j.Elements),
	}
}

func (s *Step) writtenFields() []field {
	return []field{
		textField("id", &s.ID),
		textField("next", &s.Next),
		intField("start_limit", &s.StartLimit),
		boolField("allow_start_if_complete", &s.AllowStartIfComplete),
		propertiesField(&s.Properties),
		listField("listeners", &s.Listeners),
		batchletField(&s.Batchlet),
		commandField(&s.Batchlet),
		objectField("chunk", &s.Chunk),
		objectField("partition", &s.Partition),
		listField("transitions", &s.Transitions),
	}
}

func (f *Flow) writtenFields() []field {
	return []field{
		textField("id", &f.ID),
		textField("next", &f.Next),
		elementsField(&f.Elements),
		listField("transitions", &f.Transitions),
	}
}

func (s *Split) writtenFields() []field {
	return []field{
		textField("id", &s.ID),
		textField("next", &s.Next),
		flowsField(&s.Flows),
	}
}

func (d *Decision) writtenFields() []field {
	return []field{
		textField("id", &d.ID),
		deciderField(&d.Decider),
		listField("transitions", &d.Transitions),
	}
}

func (a *Artifact) writtenFields() []field {
	return []field{textField("ref", &a.Ref), propertiesField(&a.Properties)}
}

func (c *Chunk) writtenFields() []field {
	return []field{
		textField("checkpoint_policy", &c.CheckpointPolicy),
		intField("item_count", &c.ItemCount),
		intField("time_limit", &c.TimeLimit),
		intField("skip_limit", &c.SkipLimit),
		intField("retry_limit", &c.RetryLimit),
		objectField("reader", &c.Reader),
		objectField("processor", &c.Processor),
		objectField("writer", &c.Writer),
		objectField("checkpoint_algorithm", &c.CheckpointAlgorithm),
		objectField("skippable_exception_classes", &c.Skippable),
		objectField("retryable_exception_classes", &c.Retryable),
		objectField("no_rollback_exception_classes", &c.NoRollback),
	}
}

func (c *ExceptionClasses) writtenFields() []field {
	return []field{textsField("include", &c.Include), textsField("exclude", &c.Exclude)}
}

func (p *Partition) writtenFields() []field {
	return []field{
		objectField("mapper", &p.Mapper),
		objectField("plan", &p.Plan),
		objectField("collector", &p.Collector),
		objectField("analyzer", &p.Analyzer),
		objectField("reducer", &p.Reducer),
	}
}

func (p *Plan) writtenFields() []field {
	return []field{
		intField("partitions", &p.Partitions),
		intField("threads", &p.Threads),
		listField("properties", &p.Properties),
	}
}

func (p *PartitionProperties) writtenFields() []field {
	return []field{intField("partition", &p.Partition), propertiesField(&p.Properties)}
}

// writtenFields returns one field for each action, as in the XML. Only that of
// the transition's action is written.
func (t *Transition) writtenFields() []field {
	action := func(a Action) field {
		return field{string(a),
			func(d *decoder, n *node, path string) {
				if t.Action != "" {
					d.reportMismatch(n, path, "next, end, fail or stop in a transition")
					return
				}
				t.Action = a
				d.readObject(n, path, t.attributeFields())
			},
			func() *node {
				if t.Action != a {
					return nil
				}
				return objectFrom(t.attributeFields())
			}}
	}
	return []field{action(Next), action(End), action(Fail), action(Stop)}
}

func (t *Transition) attributeFields() []field {
	on := textField("on", &t.On)
	switch t.Action {
	case Next:
		return []field{on, textField("to", &t.To)}
	case Stop:
		return []field{on, textField("exit_status", &t.ExitStatus), textField("restart", &t.Restart)}
	}
	return []field{on, textField("exit_status", &t.ExitStatus)}
}

// elementsField is the array of the elements of a job or flow. It is written
// even if it is empty, because it makes the element a flow.
func elementsField(p *[]Element) field {
	return field{"steps",
		func(d *decoder, n *node, path string) {
			d.readArray(n, path, func(n *node, path string) {
				e := elementOf(n)
				d.readObject(n, path, e.writtenFields())
				*p = append(*p, e)
			})
		},
		func() *node {
			a := &node{kind: array}
			for _, e := range *p {
				if e != nil { // one that Validate refuses
					a.items = append(a.items, objectFrom(e.writtenFields()))
				}
			}
			return a
		}}
}

// elementOf returns an empty element of the kind that the members of n show.
func elementOf(n *node) Element {
	switch {
	case n.memberValue("flows") != nil:
		return &Split{}
	case n.memberValue("steps") != nil:
		return &Flow{}
	case n.memberValue("decision") != nil:
		return &Decision{}
	}
	return &Step{}
}

func flowsField(p *[]*Flow) field {
	return field{"flows",
		func(d *decoder, n *node, path string) {
			d.readArray(n, path, func(n *node, path string) {
				f := &Flow{}
				d.readObject(n, path, f.writtenFields())
				*p = append(*p, f)
			})
		},
		func() *node {
			a := &node{kind: array}
			for _, f := range *p {
				a.items = append(a.items, objectFrom(f.writtenFields()))
			}
			return a
		}}
}

func deciderField(p *Artifact) field {
	return field{"decision",
		func(d *decoder, n *node, path string) { d.readObject(n, path, p.writtenFields()) },
		func() *node { return objectFrom(p.writtenFields()) }}
}

// defaultField is a field for a string that is not written if it is the
// default.
func defaultField(name string, p *string, value string) field {
	f := textField(name, p)
	write := f.write
	f.write = func() *node {
		if *p == value {
			return nil
		}
		return write()
	}
	return f
}

// flagField is a field for a truth value in which nothing is substituted. False
// is not written.
func flagField(name string, p *bool) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			if n.kind != truth && n.kind != text || n.text != "true" && n.text != "false" {
				d.reportMismatch(n, path, "true or false")
			}
			*p = n.text == "true"
		},
		func() *node {
			if !*p {
				return nil
			}
			return &node{kind: truth, text: "true"}
		}}
}

func attemptsField(p *int) field {
	f := countField("max_attempts", p, wantAttempts)
	write := f.write
	f.write = func() *node {
		if *p == DefaultMaxAttempts {
			return nil
		}
		return write()
	}
	return f
}

// countField is a field for a whole number from 1 in which nothing is
// substituted. Zero is not written.
func countField(name string, p *int, want string) field {
	return field{name,
		func(d *decoder, n *node, path string) {
			if n.kind != number && n.kind != text || !isInt(n.text) {
				d.reportMismatch(n, path, want)
				return
			}
			if *p = Int(n.text).Or(0); *p == 0 { // a written 0 is not the default
				d.reportMismatch(n, path, want)
			}
		},
		func() *node {
			if *p == 0 {
				return nil
			}
			return &node{kind: number, text: strconv.Itoa(*p)}
		}}
}

// limitsField is a field for an object of numbers. It keeps their order.
func limitsField(p *[]LimitUse) field {
	return field{"limits",
		func(d *decoder, n *node, path string) {
			if n.kind != object {
				d.reportMismatch(n, path, "an object")
				return
			}
			for m := range d.uniqueMembers(n, path) {
				use := LimitUse{Name: m.name}
				countField("", &use.Units, wantUnits).read(d, m.value, memberPath(path, m.name))
				*p = append(*p, use)
			}
		},
		func() *node {
			if len(*p) == 0 {
				return nil
			}
			n := &node{kind: object}
			for _, use := range *p {
				n.addMember(use.Name, &node{kind: number, text: strconv.Itoa(use.Units)})
			}
			return n
		}}
}

func (r *Retry) writtenFields() []field {
	return []field{
		countField("attempts", &r.Attempts, wantRetryAttempts),
		textField("backoff", &r.Backoff),
		textField("max_backoff", &r.MaxBackoff),
		textsField("on", &r.On),
		textsField("not_on", &r.NotOn),
	}
}
