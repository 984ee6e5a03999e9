// Package notify posts status notifications and alerts to a notificator by
// HTTP, and runs the time monitors of jobs.
//
//	RESULTS --one durable consumer--> has the job notifications? --no--> acknowledged
//	                                              | yes
//	                 does the execution, as of this result, match one of them?
//	                                              | yes
//	                             POST <url>/<type>, up to five times  --> acknowledged
//
//	running executions --lease--> longer than allowed? --> record --> POST, or stop
//
// # Status notifications
//
// RESULTS has each change of an execution once, and all buses with a
// notificator share one consumer of it. A change is therefore sent once, even
// if the result is delivered again or several buses run. A bus keeps a result
// in flight, and extends its acknowledgement wait, until the notificator has
// answered or has been asked five times within a minute and a half.
//
// If a bus dies, or loses NATS for [ackWait], the broker delivers its results
// to another bus, which starts again. A notification whose result was not
// acknowledged is then sent a second time.
//
// Nothing is sent in these cases:
//   - The notificator did not take the notification in five attempts. The log
//     says so.
//   - The execution was deleted meanwhile.
//   - No bus had a notificator for longer than [consumerExpiry]. The next
//     consumer starts with new results.
//   - An execution is submitted or waits: that is not a result.
//
// # The time monitor
//
// The time monitor first writes its action into the record of the execution, by
// compare-and-set. It therefore acts once for an execution, even if the job's
// time monitor is changed later. A stop request is in the same write and cannot
// be lost. An alert is lost if the bus dies between that write and the answer
// of the notificator.
//
// A running execution cannot be abandoned (JSR-352). The action abandon stops
// the execution, and abandons it when it has stopped. If the bus dies
// meanwhile, and the execution has stopped before another bus takes over, it
// stays stopped and can be restarted.
//
// The time counts from the first start of the execution by its agent's clock,
// also over lost agents and further attempts. Each bus takes part in stop and
// abandon, which need no notificator. Alerts are a leased task of their own,
// for the buses that have a notificator.
package notify
