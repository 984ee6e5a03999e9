// Package agent is an agent as a library: it fetches the requests of its
// applications from NATS, runs them by a [Runtime], and publishes the results.
// The package comment of subjects is the contract with the control bus. This
// package implements it, so that a runtime needs no knowledge of NATS.
//
//	          consumers: application x pool x priority
//	NATS ---------> puller ---> attempt: claim ---> Runtime.Run ---> end
//	  ^               ^ slots              |            |             |
//	  |               +--------------------|------------|-------------+
//	  +--- results, each expects the one before <-------+-- Reporter  |
//	  +--- lines <------------------------------ LogSink              |
//	  +--- heartbeats <---- attempts that run or are in the outbox <--+
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
// A job of one step that does nothing costs two results: the claim, which says
// "started", and the end, which includes the step. The agent does not wait for
// the acknowledgement of the request. It publishes the start of a step by
// itself only if the step still runs after 20 ms. The end of a step is stored
// together with the start of the next one.
//
// # What ends a body
//
//	stop      a command: the result is stopped, or the body's own if it has finished
//	drop      a command: the attempt publishes nothing any more
//	fenced    the broker refused a result: the bus has decided about the execution
//	contact   no heartbeat reached the broker for three intervals
//	leaving   the context of Run has ended and [Config.DrainGrace] is over
//
// Without contact the bus may count the agent as lost and let the work begin
// elsewhere: another attempt of a job that is requeued when its agent is lost,
// or the next execution of an exclusive job. The agent ends such bodies. All
// others go on; if the bus has ended their executions meanwhile, it drops them
// after the break.
//
// A result of a body that had finished by itself is kept and published: the
// broker refuses it if the bus has decided otherwise. An attempt of an
// exclusive job that was cut short is published as failed, which is also what
// the bus records for a lost agent.
//
// If an attempt of a job that is requeued is cut short by lost contact or by
// leaving, it publishes no terminal result. The agent stores what the steps
// have done and names the attempt in no further heartbeat. So the bus requests
// the next attempt. A result "stopped" would leave the execution until a person
// restarts it. The last permitted attempt, and every other job that a leaving
// agent stops, ends as stopped.
//
// # What is kept
//
// A terminal result that could not be stored in time goes to a file in
// [Config.DataDir]. The agent sends it again, even after a restart, until the
// broker stores or refuses it. A result that is being sent when the process
// dies is not kept: the agent is lost with all its attempts, and the bus
// decides about them.
//
// Lines of output are stored before the end of their execution, unless nothing
// can be stored for two seconds. A job that writes faster than lines can be
// stored blocks (see [LogSink]), unless it is lossy. If nothing can be stored
// for a minute, lines are dropped and counted; the last 500 are kept.
package agent
