package subjects

// BatchStatus is the state of an execution or of a step. The first eight are
// those of JSR-352 section 8.7; the control bus adds the others.
type BatchStatus string

// The batch statuses.
const (
	Starting     BatchStatus = "starting"
	Started      BatchStatus = "started"
	Stopping     BatchStatus = "stopping"
	Stopped      BatchStatus = "stopped"
	Failed       BatchStatus = "failed"
	Completed    BatchStatus = "completed"
	Abandoned    BatchStatus = "abandoned"
	Undispatched BatchStatus = "undispatched" // waits for an agent
	Unrestarted  BatchStatus = "unrestarted"  // waits for an agent; continues where another execution ended
	Unknown      BatchStatus = "unknown"      // the agent was lost; waits for the next attempt
	Registered   BatchStatus = "registered"   // a future fire, not an execution yet
	Queued       BatchStatus = "queued"       // a status of the original control bus; never written
)

// BatchStatuses returns all batch statuses, in the order in which an execution
// passes through them.
func BatchStatuses() []BatchStatus {
	return []BatchStatus{
		Registered, Undispatched, Unrestarted, Queued, Starting, Started, Stopping, Unknown, Stopped, Failed, Completed, Abandoned,
	}
}

// Ended reports whether s is final. A stopped or failed execution can still be
// abandoned.
func (s BatchStatus) Ended() bool {
	switch s {
	case Stopped, Failed, Completed, Abandoned:
		return true
	}
	return false
}

// Waiting reports whether the execution waits for an agent.
func (s BatchStatus) Waiting() bool {
	switch s {
	case Undispatched, Unrestarted, Unknown, Queued:
		return true
	}
	return false
}

// Running reports whether an agent has the execution.
func (s BatchStatus) Running() bool {
	switch s {
	case Starting, Started, Stopping:
		return true
	}
	return false
}

// Values of on_agent_lost: what the bus does with an execution whose agent was
// lost. It ends the execution, so that somebody can restart it, or requests the
// next attempt. With the latter a job runs at least once, not at most once.
const (
	LostFailed  = "failed"
	LostRequeue = "requeue"
)
