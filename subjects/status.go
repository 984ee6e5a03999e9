package subjects

// BatchStatus is the state of an execution or of a step. JSR-352 section 8.7 has the first eight; the
// others are the control bus's own.
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
	Unrestarted  BatchStatus = "unrestarted"  // waits for an agent, and goes on where another execution ended
	Unknown      BatchStatus = "unknown"      // its agent was lost; waits for the next attempt
	Registered   BatchStatus = "registered"   // a fire to come, not an execution yet
	Queued       BatchStatus = "queued"       // known from the original control bus; not written here
)

// BatchStatuses returns all batch statuses, in the order of a life.
func BatchStatuses() []BatchStatus {
	return []BatchStatus{
		Registered, Undispatched, Unrestarted, Queued, Starting, Started, Stopping, Unknown, Stopped, Failed, Completed, Abandoned,
	}
}

// Ended says whether nothing follows s, but that a stopped or failed execution can be abandoned.
func (s BatchStatus) Ended() bool {
	switch s {
	case Stopped, Failed, Completed, Abandoned:
		return true
	}
	return false
}

// Waiting says whether no agent has the execution.
func (s BatchStatus) Waiting() bool {
	switch s {
	case Undispatched, Unrestarted, Unknown, Queued:
		return true
	}
	return false
}

// Running says whether an agent has the execution.
func (s BatchStatus) Running() bool {
	switch s {
	case Starting, Started, Stopping:
		return true
	}
	return false
}

// What to do with an execution whose agent was lost: end it, so that somebody can restart it, or
// request the next attempt. The latter runs a job at least once, not at most once.
const (
	LostFailed  = "failed"
	LostRequeue = "requeue"
)
