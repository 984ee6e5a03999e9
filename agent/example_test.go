package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// exampleBus is a NATS server with the streams of the application shop. It
// plays the control bus for the examples.
type exampleBus struct {
	URL    string
	dir    string
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	lastID int64
}

func startExampleBus() *exampleBus {
	dir, err := os.MkdirTemp("", "example")
	panicOn(err)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
	})
	panicOn(err)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		panic("the NATS server did not become ready")
	}
	b := &exampleBus{URL: s.ClientURL(), dir: dir, server: s}
	b.conn, err = nats.Connect(b.URL)
	panicOn(err)
	b.js, err = jetstream.New(b.conn)
	panicOn(err)
	ctx := context.Background()
	for _, stream := range append(bus.Streams(1, bus.Retention{}), bus.RequestStreamConfig("shop", 1)) {
		switch stream.Name {
		case subjects.ResultsStream, subjects.LogsStream, subjects.RequestStream("shop"):
			_, err = b.js.CreateStream(ctx, stream)
			panicOn(err)
		}
	}
	for _, priority := range subjects.Priorities() {
		config := bus.RequestConsumerConfig("shop", subjects.DefaultPool, priority)
		_, err = b.js.CreateConsumer(ctx, subjects.RequestStream("shop"), config)
		panicOn(err)
	}
	return b
}

func (b *exampleBus) Stop() {
	b.conn.Close()
	b.server.Shutdown()
	b.server.WaitForShutdown()
	panicOn(os.RemoveAll(b.dir))
}

// RunJob requests one execution of a job. It prints the first line of output,
// if withOutput is set, and then how the execution ended.
func (b *exampleBus) RunJob(definition string, withOutput bool) {
	b.lastID++
	results, err := b.conn.SubscribeSync(subjects.ResultFilter("shop", "nightly", b.lastID))
	panicOn(err)
	logs, err := b.conn.SubscribeSync(subjects.LogFilter("shop", "nightly", b.lastID))
	panicOn(err)
	request, err := json.Marshal(&subjects.Request{
		Execution: subjects.Execution{
			ID: b.lastID, InstanceID: b.lastID, App: "shop", Job: "nightly", BatchStatus: subjects.Undispatched,
			Pool: subjects.DefaultPool, Priority: subjects.Normal, CreateTime: subjects.Now(),
			Parameters: map[string]string{"customer": "Ada"},
		},
		Attempt: 1, Definition: json.RawMessage(definition), Time: subjects.Now(),
	})
	panicOn(err)
	subject := subjects.RequestSubject("shop", subjects.DefaultPool, subjects.Normal, b.lastID)
	_, err = b.js.Publish(context.Background(), subject, request)
	panicOn(err)
	if withOutput {
		var log subjects.LogMessage
		receiveJSON(logs, &log)
		fmt.Printf("%s: %s: %s\n", log.Lines[0].Step, log.Lines[0].Level, log.Lines[0].Message)
	}
	for {
		var result subjects.Result
		if receiveJSON(results, &result); result.BatchStatus.Ended() {
			fmt.Println(result.BatchStatus, result.ExitStatus)
			return
		}
	}
}

func receiveJSON(sub *nats.Subscription, v any) {
	m, err := sub.NextMsg(30 * time.Second)
	panicOn(err)
	panicOn(json.Unmarshal(m.Data, v))
}

func panicOn(err error) {
	if err != nil {
		panic(err)
	}
}

// An agent with one batchlet in Go. The native runtime runs the job, and the
// batchlet's log becomes the output of the execution.
func Example() {
	broker := startExampleBus()
	defer broker.Stop()

	greet := func(ctx context.Context, s *agent.StepContext) (exitStatus string, err error) {
		s.Log.Info("hello", "customer", s.Parameters["customer"], "greeting", s.Properties["greeting"])
		return "GREETED", nil
	}
	a, err := agent.New(agent.Config{
		URL:     broker.URL,
		Name:    "shop-1",
		Apps:    []string{"shop"},
		Runtime: native.New(native.Config{}),
		Log:     slog.New(slog.DiscardHandler),
	}, agent.Batchlet("shop.Greet", greet))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()

	broker.RunJob(`{"id": "nightly", "steps": [{"id": "greet",
		"batchlet": {"ref": "shop.Greet", "properties": {"greeting": "good morning"}}}]}`, true)

	stop() // the agent leaves
	fmt.Println("agent:", <-done)
	// Output:
	// greet: info: hello customer=Ada greeting="good morning"
	// completed COMPLETED
	// agent: <nil>
}

// countRuntime is a runtime for definitions of its own: {"count": 3}.
type countRuntime struct{}

func (countRuntime) Open(agent.Host) error { return nil }
func (countRuntime) Close() error          { return nil }

func (countRuntime) Run(ctx context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
	var definition struct{ Count int }
	if err := json.Unmarshal(w.Definition, &definition); err != nil {
		return agent.Failure(err)
	}
	for range definition.Count {
		if ctx.Err() != nil { // context.Cause returns the reason
			return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
		}
	}
	w.Log.Line(agent.Stdout, "info", "count", fmt.Sprintf("counted to %d", definition.Count))
	return agent.Outcome{BatchStatus: subjects.Completed, ExitStatus: "COUNTED"}
}

// An agent with a runtime of its own. The package does the rest: it claims
// requests, publishes results and output, and sends heartbeats.
func ExampleRuntime() {
	broker := startExampleBus()
	defer broker.Stop()

	a, err := agent.New(agent.Config{
		URL:     broker.URL,
		Name:    "counter-1",
		Apps:    []string{"shop"},
		Runtime: countRuntime{},
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()

	broker.RunJob(`{"count": 3}`, true)
	broker.RunJob(`{"count": "three"}`, false)

	stop()
	fmt.Println("agent:", <-done)
	// Output:
	// count: info: counted to 3
	// completed COUNTED
	// failed FAILED
	// agent: <nil>
}

// A batchlet saves where it is. A restart, or the next attempt after the agent
// was lost, goes on from there. A unit test can call a batchlet without a
// broker.
func ExampleStepContext_Save() {
	importRows := func(ctx context.Context, s *agent.StepContext) (string, error) {
		var at struct{ Row int }
		found, err := s.Load(&at)
		if err != nil {
			return "", err
		}
		fmt.Println("loaded:", found, "row:", at.Row)
		for end := at.Row + 100; at.Row < end; at.Row++ {
			if ctx.Err() != nil {
				break
			}
		}
		return "IMPORTED", s.Save(at)
	}
	first := agent.NewStepContext(nil, nil)
	fmt.Println(importRows(context.Background(), first))
	second := agent.NewStepContext(first.Data(), nil)
	fmt.Println(importRows(context.Background(), second))
	fmt.Println(string(second.Data()))
	// Output:
	// loaded: false row: 0
	// IMPORTED <nil>
	// loaded: true row: 100
	// IMPORTED <nil>
	// {"Row":200}
}

func ExampleValidName() {
	fmt.Println(agent.ValidName("build host 7.example.com"))
	// Output: build-host-7-example-com
}
