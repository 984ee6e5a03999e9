package jsl_test

import (
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func ExampleParse() {
	_, err := jsl.Parse(jsl.YAML, []byte(`
id: nightly
steps:
- id: load
  next: report
  chunk:
    item-count: 100
    reader: {ref: example.Reader}
`))
	for _, f := range err.(jsl.Errors) {
		fmt.Println(f)
	}
	// Output:
	// /steps/0/next: want the id of an element, got "report" (line 5, column 9)
	// /steps/0/chunk/item-count: want the name item_count, got "item-count" (line 7, column 5)
	// /steps/0/chunk/writer: want an artifact (line 7, column 5)
}

func ExampleJob_Resolve() {
	job, err := jsl.ParseJSON([]byte(`{"id": "nightly", "steps": [{"id": "load", "chunk": {
		"item_count": "#{jobParameters['count']}?:100;",
		"reader": {"ref": "Reader", "properties": {"file": "/in/#{jobParameters['date']}.csv"}}, "writer": {"ref": "Writer"}}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err = job.Resolve(map[string]string{"date": "2026-11-24"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	chunk := job.Elements[0].(*jsl.Step).Chunk
	fmt.Println(chunk.ItemCount.Or(10), chunk.Reader.Properties[0].Value)
	// Output: 100 /in/2026-11-24.csv
}

func ExampleAfter() {
	step := &jsl.Step{ID: "load", Next: "report", Transitions: []jsl.Transition{
		{Action: jsl.Stop, On: "WAIT*", Restart: "load"},
		{Action: jsl.Next, On: "FAILED", To: "repair"},
	}}
	fmt.Println(jsl.After(step, "COMPLETED", false))
	fmt.Println(jsl.After(step, "WAITING", false))
	fmt.Println(jsl.After(step, "FAILED", true))
	// Output:
	// {next  report  } true
	// {stop WAIT*   load} true
	// {next FAILED repair  } true
}

func ExampleJob_Format() {
	job := &jsl.Job{ID: "nightly", Elements: []jsl.Element{
		&jsl.Step{ID: "load", Batchlet: &jsl.Artifact{Ref: "example.Load", Properties: jsl.Properties{{Name: "dir", Value: "/in"}}}},
	}}
	for _, f := range []jsl.Format{jsl.EDN, jsl.XML} {
		text, err := job.Format(f)
		fmt.Printf("%s%v\n", text, err)
	}
	// Output:
	// {:id "nightly"
	//  :steps
	//  [{:id "load"
	//    :batchlet {:ref "example.Load" :properties {"dir" "/in"}}}]}
	// <nil>
	// <?xml version="1.0" encoding="UTF-8"?>
	// <job xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="1.0" id="nightly">
	//   <step id="load">
	//     <batchlet ref="example.Load">
	//       <properties>
	//         <property name="dir" value="/in"/>
	//       </properties>
	//     </batchlet>
	//   </step>
	// </job>
	// <nil>
}

func ExampleErrors() {
	_, err := jsl.ParseJSON([]byte(`{
  "id": "nightly",
  "steps": [{"id": "load", "start_limit": "twice"}]
}`))
	var faults jsl.Errors
	if errors.As(err, &faults) {
		f := faults[0]
		fmt.Printf("line %d, column %d: %s wants %s\n", f.Line, f.Column, f.Path, f.Want)
	}
	// Output: line 3, column 43: /steps/0/start_limit wants a whole number of at least 0
}

// EDN may have the names that v1 clients use.
func ExampleParse_edn() {
	job, err := jsl.Parse(jsl.EDN, []byte(`
{:job/name "nightly"
 :job/components [{:step/name "load" :step/batchlet {:batchlet/ref "example.Load"}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := job.Format(jsl.YAML)
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// id: nightly
	// steps:
	//   - id: load
	//     batchlet:
	//       ref: example.Load
	// <nil>
}

// A diagram is read only: the bus answers with the job in another form.
func ExampleParse_bpmn() {
	job, err := jsl.Parse(jsl.BPMN, []byte(`
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:jsr352="http://jsr352/">
  <jsr352:job id="Job_1" bpmn:name="nightly">
    <jsr352:start id="Start_1"><bpmn:outgoing>Flow_1</bpmn:outgoing></jsr352:start>
    <jsr352:step id="Step_2" name="report"><jsr352:batchlet ref="example.Report"/></jsr352:step>
    <jsr352:step id="Step_1" name="load">
      <bpmn:outgoing>Flow_2</bpmn:outgoing>
      <jsr352:batchlet ref="example.Load"/>
    </jsr352:step>
    <jsr352:transition id="Flow_1" sourceRef="Start_1" targetRef="Step_1"/>
    <jsr352:transition id="Flow_2" sourceRef="Step_1" targetRef="Step_2" on="COMPLETED"/>
  </jsr352:job>
</bpmn:definitions>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range job.Elements {
		step := e.(*jsl.Step)
		fmt.Println(step.ID, step.Batchlet.Ref, step.Transitions)
	}
	// Output:
	// load example.Load [{next COMPLETED report  }]
	// report example.Report []
}

func ExampleJob_Walk() {
	job, err := jsl.Parse(jsl.YAML, []byte(`
id: nightly
steps:
- {id: load, next: both}
- id: both
  flows:
  - {id: left, steps: [{id: count}]}
  - {id: right, steps: [{id: report}]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	job.Walk(func(path string, e jsl.Element) {
		fmt.Printf("%T %s %s\n", e, e.ElementID(), path)
	})
	// Output:
	// *jsl.Step load /steps/0
	// *jsl.Split both /steps/1
	// *jsl.Flow left /steps/1/flows/0
	// *jsl.Step count /steps/1/flows/0/steps/0
	// *jsl.Flow right /steps/1/flows/1
	// *jsl.Step report /steps/1/flows/1/steps/0
}

// Resolve leaves the properties of a partition plan alone. They are
// substituted for each partition.
func ExampleStep_ResolvePartition() {
	job, err := jsl.Parse(jsl.YAML, []byte(`
id: nightly
steps:
- id: load
  batchlet:
    ref: example.Load
    properties: {file: "#{jobParameters['dir']}/#{partitionPlan['name']}.csv"}
  partition:
    plan:
      partitions: 2
      properties:
      - {partition: 0, properties: {name: east}}
      - {partition: 1, properties: {name: west}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if job, err = job.Resolve(map[string]string{"dir": "/in"}, nil); err != nil {
		fmt.Println(err)
		return
	}
	load := job.Find("load").(*jsl.Step)
	fmt.Println(load.Batchlet.Properties.Get("file"))
	for _, p := range load.Partition.Plan.Properties {
		step, err := load.ResolvePartition(p.Properties)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(step.Batchlet.Properties.Get("file"))
	}
	// Output:
	// /in/#{partitionPlan['name']}.csv true
	// /in/east.csv true
	// /in/west.csv true
}

// A file may hold the job's schedule beside its definition.
func ExampleParseFile() {
	file, err := jsl.ParseFile(jsl.YAML, []byte(`
id: nightly
steps:
- {id: load, batchlet: {ref: example.Load, properties: {date: "#{jobParameters['date']}"}}}
schedule:
  cron_notation: 0 0 2 * * ?
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Job.ID, file.Job.Parameters())
	fmt.Println(string(file.Get(jsl.BesideSchedule)))
	fmt.Println(file.Locate("/schedule/cron_notation"))
	// Output:
	// nightly [date]
	// {"cron_notation":"0 0 2 * * ?"}
	// 6 18
}

func ExampleMatch() {
	fmt.Println(jsl.Match("WAIT*", "WAITING"), jsl.Match("?OK", "OK"))
	// Output: true false
}
