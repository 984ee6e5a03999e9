package httpapi

import (
	"context"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// shownOfAgent is how many executions an agent's answer has.
const shownOfAgent = 20

// AgentPath is an agent in a path.
type AgentPath struct {
	ID string `path:"id" doc:"Name or instance id."`
}

func (s *Server) listAgents(_ context.Context, in *Page) (*answer[rest.All[rest.Agent]], error) {
	shown := cutPage(*in, s.cfg.Executions.Agents(), func(a *execution.AgentInfo) string { return a.Heartbeat.Agent }, strings.Compare)
	var results []rest.Agent
	for _, a := range shown.items {
		results = append(results, agentOf(&a))
	}
	return allOf(shown.part, results), nil
}

// agentsOf counts the agents that are alive and take work of an application.
func (s *Server) agentsOf(app string) (n int) {
	for _, a := range s.cfg.Executions.Agents() {
		if a.Alive && slices.Contains(a.Apps, app) {
			n++
		}
	}
	return n
}

func (s *Server) agent(id string) (execution.AgentInfo, error) {
	a, ok := s.cfg.Executions.Agent(id)
	if !ok {
		return a, bus.State(bus.CodeNoSuchAgent, "there is no agent %s", codec.Cut(id))
	}
	return a, nil
}

func (s *Server) getAgent(_ context.Context, in *AgentPath) (*answer[rest.Agent], error) {
	a, err := s.agent(in.ID)
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Agent]{agentOf(&a)}
	executions := []rest.ExecutionSummary{}
	for _, e := range s.cfg.Index.NewestOf(a.Heartbeat.Agent, shownOfAgent) {
		executions = append(executions, summaryOf(&e))
	}
	out.Body.Executions = &executions
	return out, nil
}

func (s *Server) blockAgent(ctx context.Context, in *AgentPath) (*answer[rest.Agent], error) {
	return s.block(ctx, in, true)
}

func (s *Server) unblockAgent(ctx context.Context, in *AgentPath) (*answer[rest.Agent], error) {
	return s.block(ctx, in, false)
}

func (s *Server) block(ctx context.Context, in *AgentPath, blocked bool) (*answer[rest.Agent], error) {
	a, err := s.agent(in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Executions.Block(ctx, a.Heartbeat.Agent, blocked); err != nil {
		return nil, err
	}
	return s.getAgent(ctx, in)
}

func agentOf(a *execution.AgentInfo) rest.Agent {
	return rest.Agent{
		AgentRef: rest.AgentRef{Name: a.Heartbeat.Agent, InstanceID: a.InstanceID},
		Host:     a.Host, OSName: a.OS, OSVersion: a.OSVersion, CPUArch: a.Arch, CPUCore: a.Cores,
		AgentVersion: a.Version, Status: a.State(), Stats: a.Stats,
		Jobs: rest.AgentJobs{Running: a.Running, Slots: a.Slots}, Apps: a.Apps, Pools: a.Pools,
		StartTime: a.StartTime, LastSeen: a.LastSeen,
	}
}
