package jsl_test

import (
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
	// /steps/0/chunk/item-count: want item_count, got "item-count" (line 7, column 5)
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
