// Package execution is the life of executions: submit, record what agents report, stop, abandon, restart, recover,
// retain. Every process can die or be paused between any two steps, every acknowledgement can be lost, every message can
// come twice; so each write names the sequence or revision of exactly what it was decided on, and whoever is refused
// judges anew.
//
//	Submit --record (create-only)--> executions        agent --claim, steps, end--> RESULTS
//	       --request (expected 0)--> work queue  --->                                  |
//	                                                       projector: fold, compare-and-set
//	Stop, Abandon, Restart --wish--> record                                            v
//	Recoverer: what waits, is lost, or holds a lock    -- results of "bus" -->      record, read model
//	Janitor: what is old
//
// RESULTS decides: the first result of an attempt is its claim, an end is final, and a result that does not follow the one
// before is refused by the broker. The record is the fold of RESULTS, plus what people wish. It lags behind, so
// whoever decides reads the last result from the stream's leader first.
//
// Between a decision and its write there are never more than 30 s by the wall clock ([maxStep]): a bus that was paused for
// longer gives up. The janitor relies on it, since after a purge there is nothing left that the broker could compare with.
package execution
