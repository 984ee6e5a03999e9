// Package execution carries executions from submission to removal: it submits
// them, records what agents report, stops, abandons, restarts, recovers and
// purges. Every process can die or pause between any two steps, every
// acknowledgement can be lost, and every message can arrive twice. Each write
// therefore names the sequence or revision of exactly what it was decided on.
// If the broker refuses a write, the bus reads again and decides again.
//
//	Submit --record (create-only)--> executions        agent --claim, steps, end--> RESULTS
//	       --request (expected 0)--> work queue  --->                                  |
//	                                                       projector: fold, compare-and-set
//	Stop, Abandon, Restart --request--> record                                         v
//	Recoverer: what waits, is lost, or holds a lock    -- results of "bus" -->    record, read model
//	Janitor: what is old
//
// The stream RESULTS decides. The first result of an attempt is its claim. An
// end is final. The broker refuses a result that does not follow the one
// before. The record is the fold of RESULTS, plus what users asked for (stop,
// restart, delete). The record lags behind RESULTS, so the bus reads the last
// result from the stream's leader before it decides.
//
// At most 30 s of wall-clock time pass between a decision and its write
// ([maxStep]): a bus that was paused for longer gives the step up. The janitor
// relies on this, since after a purge the broker has nothing left that would
// refuse an old write.
package execution
