package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// newWords creates a reader of the words in the property text.
func newWords(s *agent.StepContext) (agent.ItemReader[string], error) {
	var p struct {
		Text string `batch:"text,required"`
	}
	err := agent.Inject(&p, s.Properties)
	return &words{all: strings.Fields(p.Text)}, err
}

// newPrinter creates a writer that prints the items of each chunk.
func newPrinter(*agent.StepContext) (agent.ItemWriter[string], error) {
	return agent.WriterFunc[string](func(_ context.Context, items []string) error {
		fmt.Println(items)
		return nil
	}), nil
}

// runWords runs a step that copies words, with more members of its chunk, and
// more of the step.
func runWords(text, chunk, step string, options ...agent.Option) {
	runExample(`{"id": "nightly", "steps": [{"id": "copy", `+step+`"chunk": {`+chunk+`
		"reader": {"ref": "shop.Words", "properties": {"text": "`+text+`"}}, "writer": {"ref": "shop.Print"}}}]}`,
		append(options, agent.Reader("shop.Words", newWords), agent.Writer("shop.Print", newPrinter))...)
}

// A processor turns an item into another one, or leaves it out.
func ExampleItemProcessor() {
	long := func(s *agent.StepContext) (agent.ItemProcessor[string, string], error) {
		var p struct {
			Least int `batch:"least,default=3"`
		}
		err := agent.Inject(&p, s.Properties)
		return agent.ProcessorFunc[string, string](func(_ context.Context, word string) (string, error) {
			if len(word) < p.Least {
				return "", agent.ErrFiltered
			}
			return strings.ToUpper(word), nil
		}), err
	}
	runWords("all is well that ends well", `"processor": {"ref": "shop.Long"},`, "", agent.Processor("shop.Long", long))
	// Output:
	// [ALL WELL THAT ENDS WELL]
	// completed COMPLETED
}

// report is the text that a writer appends to. It stands for a file.
type report struct{ text *string }

// Open takes back what was written after the checkpoint.
func (r report) Open(_ context.Context, last agent.Checkpoint) error {
	size := 0
	_, err := last.Load(&size)
	*r.text = (*r.text)[:size]
	return err
}

func (r report) WriteItems(_ context.Context, lines []string) error {
	*r.text += strings.Join(lines, "\n") + "\n"
	return nil
}

func (r report) CheckpointInfo(context.Context) (any, error) { return len(*r.text), nil }
func (r report) Close(context.Context) error                 { return nil }

// A writer that is opened with a checkpoint takes back what was not committed.
func ExampleItemWriter() {
	ctx := context.Background()
	text := ""
	w := report{&text}
	_ = w.Open(ctx, nil)
	_ = w.WriteItems(ctx, []string{"first chunk"})
	size, _ := w.CheckpointInfo(ctx)
	checkpoint, _ := json.Marshal(size)           // with the commit
	_ = w.WriteItems(ctx, []string{"not commit"}) // and then the agent is lost

	again := report{&text}
	_ = again.Open(ctx, checkpoint)
	_ = again.WriteItems(ctx, []string{"second chunk"})
	fmt.Print(text)
	// Output:
	// first chunk
	// second chunk
}

// growing commits after one item, then after two, then after three.
type growing struct{ size, items int }

func (g *growing) CheckpointTimeout(context.Context) (int, error) { return 0, nil }

func (g *growing) BeginCheckpoint(context.Context) error {
	g.size++
	g.items = 0
	return nil
}

func (g *growing) IsReadyToCheckpoint(context.Context) (bool, error) {
	g.items++
	return g.items == g.size, nil
}

func (g *growing) EndCheckpoint(context.Context) error { return nil }

// A checkpoint algorithm decides where chunks end.
func ExampleCheckpointAlgorithm() {
	runWords("a b c d e f g", `"checkpoint_policy": "custom", "checkpoint_algorithm": {"ref": "shop.Growing"},`, "",
		agent.Algorithm("shop.Growing", func(*agent.StepContext) (agent.CheckpointAlgorithm, error) { return &growing{}, nil }))
	// Output:
	// [a]
	// [b c]
	// [d e f]
	// [g]
	// completed COMPLETED
}

// numbers returns an option that registers a processor of words that are
// numbers. Its error is of the class shop.NoNumber.
func numbers() agent.Option {
	return agent.Processor("shop.Numbers", func(*agent.StepContext) (agent.ItemProcessor[string, string], error) {
		return agent.ProcessorFunc[string, string](func(_ context.Context, word string) (string, error) {
			n, err := strconv.Atoi(word)
			return fmt.Sprint(n), err
		}), nil
	})
}

const (
	skipNoNumbers  = `"skip_limit": 10, "skippable_exception_classes": {"include": ["shop.NoNumber"]}, "processor": {"ref": "shop.Numbers"},`
	withWatcher    = `"listeners": [{"ref": "shop.Watcher"}], `
	retryTemporary = `"retryable_exception_classes": {"include": ["shop.Temporary"]}, "processor": {"ref": "shop.Lookup"},`
)

var noNumber = agent.ErrorClasses(agent.ErrorAs[*strconv.NumError]("shop.NoNumber", ""))

// The lists of a chunk name classes of errors. This one skips what is no number.
func ExampleErrorClass() {
	runWords("1 2 three 4", skipNoNumbers, "", noNumber, numbers())
	// Output:
	// [1 2 4]
	// completed COMPLETED
}

// watcher is a listener that prints what happens to chunks and items. A listener
// has the methods of the interfaces that it needs.
type watcher struct{}

func (watcher) BeforeChunk(context.Context) error { fmt.Println("chunk begins"); return nil }
func (watcher) AfterChunk(context.Context) error  { fmt.Println("chunk ends"); return nil }
func (watcher) OnError(_ context.Context, cause error) error {
	fmt.Println("chunk is rolled back:", cause)
	return nil
}

func newWatcher(*agent.StepContext) (watcher, error) { return watcher{}, nil }

func ExampleChunkListener() {
	runWords("a b c", `"item_count": 2,`, withWatcher, agent.Listener("shop.Watcher", newWatcher))
	// Output:
	// chunk begins
	// [a b]
	// chunk ends
	// chunk begins
	// [c]
	// chunk ends
	// completed COMPLETED
}

// readCounter counts what is read.
type readCounter struct{ n int }

func (c *readCounter) BeforeRead(context.Context) error { return nil }

func (c *readCounter) AfterRead(_ context.Context, item any) error {
	if item == nil {
		fmt.Println(c.n, "words")
		return nil
	}
	c.n++
	return nil
}

func (c *readCounter) OnReadError(context.Context, error) error { return nil }

func ExampleItemReadListener() {
	runWords("a b c", "", withWatcher,
		agent.Listener("shop.Watcher", func(*agent.StepContext) (*readCounter, error) { return &readCounter{}, nil }))
	// Output:
	// 3 words
	// [a b c]
	// completed COMPLETED
}

// processLog prints what a processor makes of items.
type processLog struct{}

func (processLog) BeforeProcess(context.Context, any) error { return nil }

func (processLog) AfterProcess(_ context.Context, item, result any) error {
	fmt.Println(item, "->", result)
	return nil
}

func (processLog) OnProcessError(_ context.Context, item any, cause error) error {
	fmt.Println(item, "failed:", cause)
	return nil
}

func ExampleItemProcessListener() {
	runWords("07 x", skipNoNumbers, withWatcher, noNumber, numbers(),
		agent.Listener("shop.Watcher", func(*agent.StepContext) (processLog, error) { return processLog{}, nil }))
	// Output:
	// 07 -> 7
	// x failed: strconv.Atoi: parsing "x": invalid syntax
	// [7]
	// completed COMPLETED
}

// writeLog prints what is written.
type writeLog struct{}

func (writeLog) BeforeWrite(_ context.Context, items []any) error {
	fmt.Println("writing", len(items))
	return nil
}
func (writeLog) AfterWrite(context.Context, []any) error          { return nil }
func (writeLog) OnWriteError(context.Context, []any, error) error { return nil }

func ExampleItemWriteListener() {
	runWords("a b c", "", withWatcher, agent.Listener("shop.Watcher", func(*agent.StepContext) (writeLog, error) { return writeLog{}, nil }))
	// Output:
	// writing 3
	// [a b c]
	// completed COMPLETED
}

// skipLog keeps a record of what is skipped.
type skipLog struct{}

func (skipLog) OnSkipProcessItem(_ context.Context, item any, cause error) error {
	fmt.Printf("skipped %v: %v\n", item, errors.Unwrap(cause))
	return nil
}

// A listener of skips knows what the output lacks. Listeners of skipped reads
// and writes are alike.
func ExampleSkipProcessListener() {
	runWords("1 two 3", skipNoNumbers, withWatcher, noNumber, numbers(),
		agent.Listener("shop.Watcher", func(*agent.StepContext) (skipLog, error) { return skipLog{}, nil }))
	// Output:
	// skipped two: invalid syntax
	// [1 3]
	// completed COMPLETED
}

var errTemporary = errors.New("try again")

// lookup fails once.
type lookup struct{ failed bool }

func (l *lookup) ProcessItem(_ context.Context, word string) (string, error) {
	if word == "b" && !l.failed {
		l.failed = true
		return "", errTemporary
	}
	return word, nil
}

// patience waits before a retry.
type patience struct{}

func (patience) OnRetryProcessException(ctx context.Context, item any, cause error) error {
	fmt.Printf("%v: %v\n", item, cause)
	select {
	case <-time.After(time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A retry rolls the chunk back, and does its items again one by one. Listeners
// of retried reads and writes are alike.
func ExampleRetryProcessListener() {
	runWords("a b c d", retryTemporary, withWatcher,
		agent.ErrorClasses(agent.ErrorIs("shop.Temporary", "", errTemporary)),
		agent.Processor("shop.Lookup", func(*agent.StepContext) (agent.ItemProcessor[string, string], error) { return &lookup{}, nil }),
		agent.Listener("shop.Watcher", func(*agent.StepContext) (patience, error) { return patience{}, nil }))
	// Output:
	// b: try again
	// [a]
	// [b]
	// [c d]
	// completed COMPLETED
}
