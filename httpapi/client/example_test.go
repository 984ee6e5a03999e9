package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Start a job, show its output as it comes, and say how it ended.
func Example() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: "http://localhost:45102"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	e, err := c.Submit(ctx, "default", "JOB-1", client.Submission{Parameters: map[string]string{"date": "2026-11-24"}})
	if client.Code(err) == "job_is_exclusive" {
		log.Fatal("it runs already")
	} else if err != nil {
		log.Fatal(err)
	}
	_, err = c.FollowLog(ctx, e.App, e.Job, e.ExecutionID, func(l rest.LogLine) error {
		fmt.Println(l.Time, l.Message)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	e, err = c.Await(ctx, e.App, e.Job, e.ExecutionID, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.BatchStatus, *e.ExitStatus)
}
