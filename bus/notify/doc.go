// Package notify queues and sends status notifications and alerts, and runs the
// time monitors of jobs.
//
//	RESULTS --one durable consumer--> has the job notifications? --no--> acknowledged
//	                                              | yes
//	                 does the execution, as of this result, match one of them?
//	                                              | yes
//	                                        NOTIFICATIONS <-- alerts <-- time monitor
//	                                              | one durable consumer
//	            sender, or POST <url>/<type> to the notificator --failed--> later, up to ten times
//	                                              | sent                        | given up
//	                                           removed                     dead letter
//
// # Status notifications
//
// RESULTS has each change of an execution once, and all buses that can send
// share one consumer of it. The notifications of a result are stored in the
// stream NOTIFICATIONS before the result is acknowledged. Each has an id that
// follows from the result, so that the broker drops it if the result is
// delivered again within an hour.
//
// A second consumer, shared as well, sends them. The broker counts the attempts
// and keeps the delays between them, so both survive a restart of any bus. A bus
// extends its acknowledgement wait while an attempt lasts. If it dies, or loses
// NATS for [ackWait], another bus makes the attempt again, and the receiver may
// get the notification twice.
//
// A notification that the receiver refuses for good, that has no sender or that
// has failed ten times becomes a dead letter: an event that a stream keeps for
// 30 days. If that cannot be stored, the notification stays and is tried again.
//
// Nothing is sent in these cases:
//   - The execution was deleted meanwhile.
//   - No bus could send for longer than [consumerExpiry]. The next consumer
//     starts with new results.
//   - An execution is submitted or waits: that is not a result.
//
// # The time monitor
//
// The time monitor first writes its action into the record of the execution, by
// compare-and-set. It therefore acts once for an execution, even if the job's
// time monitor is changed later. A stop request is in the same write and cannot
// be lost. An alert is lost if the bus dies between that write and the next one,
// which queues the alert.
//
// A running execution cannot be abandoned (JSR-352). The action abandon stops
// the execution, and abandons it when it has stopped. If the bus dies
// meanwhile, and the execution has stopped before another bus takes over, it
// stays stopped and can be restarted.
//
// The time counts from the first start of the execution by its agent's clock,
// also over lost agents and further attempts. Each bus takes part in stop and
// abandon, which need no sender. Alerts are a leased task of their own, for the
// buses that can send.
package notify
