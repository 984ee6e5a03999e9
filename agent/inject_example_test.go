package agent_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// The factory of an artifact stores the properties of the job in its fields.
func ExampleInject() {
	type importer struct {
		File   string        `batch:"file,required"`
		Skip   uint16        `batch:"skip"`
		Strict bool          `batch:"strict,default=true"`
		Wait   time.Duration `batch:"wait,default=10s"`
	}
	var good, bad importer
	err := agent.Inject(&good, map[string]string{"file": "orders.csv", "skip": "1", "wait": "2m"})
	fmt.Printf("%+v %v\n", good, err)
	err = agent.Inject(&bad, map[string]string{"skip": "one", "fil": "orders.csv"})
	fmt.Println(strings.ReplaceAll(err.Error(), "; ", ";\n"))
	// Output:
	// {File:orders.csv Skip:1 Strict:true Wait:2m0s} <nil>
	// property file: want a text that is not empty, got "";
	// property skip: want a whole number from 0 to 65535, got "one";
	// property fil: unknown, want file, skip, strict, wait
}
