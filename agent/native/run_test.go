package native_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
)

// overridingMapper makes plans of two partitions that forget the ones before.
type overridingMapper struct{}

func (overridingMapper) MapPartitions(context.Context) (agent.PartitionPlan, error) {
	return agent.PartitionPlan{Partitions: 2, Threads: 1, Override: true}, nil
}

// A chunk step that goes on has the run of the execution before; one that begins
// anew has another. All its partitions have the same.
func TestRunsOfChunkSteps(t *testing.T) {
	var mu sync.Mutex
	var runs []string
	take := func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { runs = nil }()
		return slices.Compact(runs)
	}
	room := agenttest.New(t)
	startChunkAgent(t, room, agent.Reader("run", func(s *agent.StepContext) (agent.ItemReader[int], error) {
		mu.Lock()
		defer mu.Unlock()
		runs = append(runs, s.Run)
		end := io.EOF
		if s.Properties["fail"] != "" {
			end = errors.New("no luck")
		}
		return agent.ReaderFunc[int](func(context.Context) (int, error) { return 0, end }), nil
	}), agent.Mapper("override", func(*agent.StepContext) (agent.PartitionMapper, error) { return overridingMapper{}, nil }))
	for _, c := range []struct {
		name, first, second string // properties of the reader
		more                string
		goesOn              bool
	}{
		{"a step that has failed", "'fail':'1'", "", "", true},
		{"a step that is completed", "", "", "", false},
		{"partitions that have failed", "'fail':'1'", "", `,'partition':{'plan':{'partitions':3}}`, true},
		{"partitions that are completed", "", "", `,'partition':{'plan':{'partitions':3}}`, false},
		{"partitions that are overridden", "'fail':'1'", "", `,'partition':{'mapper':{'ref':'override'}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			definition := func(properties string) string {
				return jobDefinition(`{'id':'a','allow_start_if_complete':true,'chunk':{'reader':{'ref':'run','properties':{` + properties + `}},
					'writer':{'ref':'file','properties':{'file':'` + t.TempDir() + `/out'}}}` + c.more + `}`)
			}
			id := room.Run(definition(c.first)).ID
			first := take()
			restart(room, id, definition(c.second))
			second := take()
			if len(first) != 1 || len(second) != 1 || first[0] == "" || second[0] == "" {
				t.Fatalf("got the runs %q, then %q; want one of each execution", first, second)
			}
			if (first[0] == second[0]) != c.goesOn {
				t.Errorf("got the run %s, then %s", first[0], second[0])
			}
		})
	}
}
