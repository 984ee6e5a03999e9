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
// A dead letter has the whole message, so that it can be queued again as a new
// notification. It is removed after that. The id with which it is queued follows
// from its number, so that the broker lets one of several callers queue it. If
// the bus dies before it has removed the letter, the letter stays; whoever
// sends it again within an hour only removes it, and later queues it twice.
//
// Nothing is sent in these cases:
//   - The execution was deleted meanwhile.
//   - No bus could send for longer than [consumerExpiry]. The next consumer
//     starts with new results.
//   - An execution is submitted or waits: that is not a result.
//
// # Alerts
//
// An alert is a key that is created once, in the bucket alerts: by the promises
// of a job (SLA) or by its time monitor. Several buses that check the same at
// the same time therefore raise it once. Its notification is queued afterwards,
// and the alert notes that; if the bus dies in between, the next round of any
// bus that can send queues it, and the broker drops a repetition. The event on
// core NATS follows the creation and is lost if the bus dies in between.
//
// A promise is checked some seconds after it is due, since the record of an
// execution that has kept it may be behind. Each round reads the executions that
// are new, and keeps those whose promises are open. A start reads those of the
// last day.
//
// # The time monitor
//
// The time monitor first writes its action into the record of the execution, by
// compare-and-set. It therefore acts once for an execution, even if the job's
// time monitor is changed later. A stop request is in the same write and cannot
// be lost. If the bus dies before it has raised the alert, another one finds the
// action in the record and raises it.
//
// A running execution cannot be abandoned (JSR-352). The action abandon stops
// the execution, and abandons it when it has stopped. If the bus dies
// meanwhile, and the execution has stopped before another bus takes over, it
// stays stopped and can be restarted.
//
// The time counts from the first start of the execution by its agent's clock,
// also over lost agents and further attempts.
package notify
