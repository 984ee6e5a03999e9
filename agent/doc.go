// Package agent is an agent as a library: it takes the work of its applications
// from NATS, runs it by a [Runtime] and says what happened. The contract is the
// package comment of subjects; this package keeps it, and a runtime needs to
// know nothing of NATS.
//
//	          lanes: application x pool x priority
//	NATS ---------> puller ---> attempt: claim ---> Runtime.Run ---> end
//	  ^               ^ slots              |            |             |
//	  |               +--------------------|------------|-------------+
//	  +--- results, one expecting the one before it <---+-- Reporter  |
//	  +--- lines <------------------------------ LogSink              |
//	  +--- heartbeats <---- what runs, what waits in the outbox <-----+
//
// The smallest agent is a main function with one batchlet:
//
//	run := native.New(native.Config{})
//	cfg := agent.Config{URL: "nats://localhost", Apps: []string{"shop"}, Runtime: run}
//	a, err := agent.New(cfg, agent.Batchlet("example.Hello", hello))
//	...
//	err = a.Run(ctx)
//
// # What an attempt costs
//
// A job of one step that does nothing is two results: the claim, which says
// "started", and the end, which brings the step. The acknowledgement of the
// request is not awaited. A step's start is published by itself only if the
// step still runs after 20 ms; a job of several steps stores the end of each
// together with the start of the next.
//
// # What ends the work
//
//	stop      a command; the body's context ends; the result is stopped, or the body's own
//	drop      a command; nothing is published any more
//	fenced    the broker refused a result: somebody else decided about the execution
//	contact   no heartbeat reached the broker for three intervals
//	leaving   the context of Run ended and [Config.DrainGrace] is over
//
// Without contact the bus may hold the agent for lost and begin the work
// elsewhere: the next attempt of a job that is to be requeued, or the next
// execution of an exclusive one. Their bodies are ended; all others go on, and
// are dropped after the break if the bus has ended them. What a body had
// finished by itself is kept and published as it is: the broker refuses it if
// the bus has decided otherwise. An exclusive one that was cut short is
// published as failed, as the bus would have it.
//
// Cut short by contact or leaving, an attempt of a job that is to be requeued
// ends without a terminal result: what its steps have done is stored, no
// heartbeat names it any more, and so the bus requests the next attempt. With
// "stopped" it would wait for a person, which is worse than what a power cut
// does to it. The last attempt that it may have, and every other job that an
// agent has to leave unfinished, ends as stopped.
//
// # What is kept
//
// A terminal result that could not be stored at once goes to a file in
// [Config.DataDir] and is sent again until it is stored or refused, over
// restarts. One that is on its way when the process dies is not: then the agent
// is lost, with all that it ran, and the bus decides. Lines of output are
// stored before the end of their execution, unless nothing can be stored for
// two seconds. A job that writes faster than they can be stored waits
// ([LogSink]), unless it is lossy; if nothing can be stored for a minute, lines
// are dropped but for the last 500, and counted.
package agent
