// Package agents is the registry of agents. It follows their heartbeats, knows
// which agents are alive and which executions they name, and sends them
// commands.
//
// A command can get lost. The registry compares each heartbeat with what the
// agent was told, and sends the command again until the heartbeat shows that
// the agent has carried it out.
//
// Each bus has a registry of its own in memory. The bucket of agents keeps
// registrations, so that a bus that starts knows the agents of the last day,
// and keeps that an agent is blocked.
package agents
