// Package notify tells a notificator by HTTP what becomes of executions, and
// sees to those that take too long.
//
//	RESULTS --one durable consumer--> has the job notifications? --no--> acknowledged
//	                                              | yes
//	                 the execution as the result left it: is it what one of them asks for?
//	                                              | yes
//	                             POST <url>/<type>, up to five times  --> acknowledged
//
//	what runs --lease--> longer than its time monitor allows? --> record --> POST, or stop
//
// # Status notifications
//
// RESULTS has each change of an execution once, and all buses with a
// notificator share one consumer of it; so a change is sent once, though the
// result is delivered again or several buses run. A bus keeps a result in hand,
// and says so to the broker, until the notificator has answered or was asked
// five times within a minute and a half. One that dies, or loses NATS for
// [ackWait], has its results handed to another, which begins anew: what was
// answered and not acknowledged is sent a second time. Nothing is sent that was
// given up (the log says so), of an execution that was deleted meanwhile, or of
// what happened while no bus had a notificator for longer than [forgotten]; the
// consumer begins with what is new. Of an execution that waits nothing is sent,
// since its beginning is no result.
//
// # The time monitor
//
// What is done is noted in the record first, by compare-and-set, so never twice
// for an execution, whatever its monitor is changed to. A stop is in the same
// write and cannot be lost. An alert errs on the side of silence: the bus that
// noted it and dies before the answer sends none. A running execution cannot be
// abandoned (JSR-352), so that action stops it and gives up what has stopped;
// if the bus dies while it stops, and it has stopped before another bus takes
// over, it stays stopped and can be restarted.
//
// Time counts from the first start of the execution, as its agent's clock has
// it, over lost agents and further attempts. Stop and abandon need no
// notificator: each bus takes part in them; alerts are a chore of their own,
// for those that have one.
package notify
