// Package subjects is the contract between the control bus and its agents: subjects, headers,
// payloads and rules. It needs nothing but the standard library, and this text is enough to write
// an agent in any language; deploy/examples/agent.py is one in about four hundred lines.
//
//	jobstreamer.request.<app>.<pool>.<priority>.<execution>  [Request]    bus -> one agent, work queue
//	jobstreamer.result.<app>.<job>.<execution>.<who>         [Result]     agent or "bus" -> RESULTS
//	jobstreamer.log.<app>.<job>.<execution>.<agent>          [LogMessage] agent -> LOGS
//	jobstreamer.heartbeat.<agent>                            [Heartbeat]  agent -> every bus, core NATS
//	jobstreamer.command.<agent>.<verb>                       [Command]    bus -> one agent, request/reply
//	jobstreamer.event.<kind>...                              [Event]      bus -> whoever watches, core NATS
//
// Payloads are JSON with the field names of the REST API; times are RFC 3339 in UTC with milliseconds.
// Application, pool and agent names match [NamePattern], so each is one token of a subject. A job's name is any XML NCName, so
// what stands for a job in subjects, keys and messages ("job") is its key, which matches [NamePattern] too: the name that it was made
// with, or what the bus made of that, since renames do not change it. The name that it has now is the id of its definition.
// An execution id is a positive integer, unique in the whole system.
//
// # Taking work
//
// Each application has a stream JOBSTREAMER_REQUEST_<app> with work-queue retention, and in it a durable
// pull consumer <pool>=<priority> for each pool and each of the priorities high, normal and low. The bus
// makes them, for the pools of jobs and for the applications and pools that a heartbeat names; until then
// a pull is answered "no responders": ask again after a second. An agent pulls by publishing
// {"batch":n,"expires":nanoseconds} to $JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer> with a reply inbox
// (every NATS client has a call for it), for no more requests than it has free slots, the higher priority
// first ("no_wait":true answers at once). A message with a Status header and no body ends the pull: 404 nothing there, 408 expired,
// 503 no consumer yet, 409 ask again later. A message that it has no slot for it gives back at once by a negative acknowledgement (-NAK).
// AckWait is 30 s. A request that was held longer than [MaxHold] by the wall clock (the monotonic clock stops
// while a machine sleeps), counted from when the pull was sent or the broker was last heard, is not claimed any more, but let go without an acknowledgement; so is one that cannot be read.
//
// # Claiming
//
// Requests can come twice, and late. What makes an execution run once is the claim: the first [Result] of an
// attempt, with batch_status "starting" or "started", published to the agent's result subject through JetStream
// (as a NATS request, so that the stream's acknowledgement comes back) with two headers:
//
//	Nats-Expected-Last-Subject-Sequence: <expected_sequence of the request>
//	Nats-Expected-Last-Subject-Sequence-Subject: jobstreamer.result.<app>.<job>.<execution>.*
//
// The broker stores the claim of one agent and refuses all others: {"error":{"code":400,"err_code":10071,
// "description":"wrong last sequence: N"},"seq":0}. Error code 10164 decides nothing: another message of the filter, perhaps the same
// one sent before, is being stored in the cluster; send again until it is stored or refused with 10071.
// Stored: acknowledge the request (+ACK) and run. Refused: it is somebody else's, or has ended; acknowledge
// and forget it, unless the last message of the filter is one's own (see below). Any other failure of a claim:
// neither acknowledge nor run; the request comes again.
// The claim carries in "execution" the object of that name in the request, unchanged: from it a bus can make
// a record that was lost.
//
// # Running
//
// "started" is stored before the body begins; an agent with nothing to prepare claims with "started" at once.
// Every later result of the attempt expects the sequence of the one before it (the "seq" in the stream's
// acknowledgement) with the same filter. So whoever was fenced off, because the bus held the agent for lost or stopped
// the execution, is refused by the broker: it then ends the work, and keeps what it knows as a log line.
// Changes of steps travel in "steps", each as a whole [StepExecution]; their ids go on from those in the request's execution, and
// a step that ran before begins with the persistent_data of the request's "steps". The end of a step is stored before the
// next one begins, and so is the start of a step that runs longer than a moment.
// The last result of an attempt is terminal: completed, failed or stopped. An agent repeats it until it is stored or refused, over
// restarts of its own too: until then the execution stays in its heartbeats.
//
// # An outcome that is not known
//
// When no acknowledgement comes (a time-out, a lost connection), or one that is neither stored nor 10071, send the same message again. If that is
// refused, read the last message of the filter ($JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.<filter>): with the same "handling" and "number" it is one's own and was
// stored. If it is older than the sequence that the refusal names ("wrong last sequence: N"), a replica answered: read again.
// The sequence of that message is in its header Nats-Sequence; status 404 counts as sequence 0.
// If the last message has one's own handling and a lower number, the message in between was not stored: expect its sequence and send again.
// "handling" is a random id for one handling of one delivery: not the agent's name, since another slot of the
// same agent must not take a claim for its own. Never send Nats-Msg-Id with a result: a repeat would then be
// answered as a duplicate, with success, even behind a fence. (Log messages may have one.) Do not let the client buffer over a reconnect.
//
// # Heartbeats
//
// An agent publishes a [Heartbeat] every interval_ms (2,000 is usual, at most 10,000), and at once when it starts, when its status changes and, with status "gone", when it
// leaves; as a request with a reply inbox if it wants to know that a bus listens (the answer is an empty object). That a heartbeat reached the broker it knows by hearing it on its
// own heartbeat subject, or by a PING of its connection.
// "executions" names each execution with its attempt from the fetch until the terminal result is stored. What nobody
// names for [LostAfter] intervals is lost: the bus ends it as failed, or requests the next attempt. An agent that could
// not send heartbeats for as long ends the work that may begin elsewhere without a person: executions with on_agent_lost
// "requeue", and exclusive ones. The others go on; if they were ended meanwhile, "drop" comes after the break. An agent that
// starts ends what processes its previous life left.
// A name belongs to one live agent: before its first heartbeat an agent sends the command "ping" to its own
// name; if another life answers, it gives up. A life answers pings only once it has its name. Should two have one name all the same (one
// was paused), the one that started earlier leaves when it hears the other's heartbeat, without a "gone".
//
// # Commands
//
//	stop    {"execution_id":1,"attempt":1}  end the body, first kindly; the terminal result is stopped
//	drop    {"execution_id":1,"attempt":1}  the attempt is fenced off: end the body, publish nothing
//	drain   {}                              take no more work; the status becomes blocked
//	resume  {}                              take work again
//	ping    {}                              answer with "life"
//
// Each is answered by a [CommandReply]. Commands can be lost and repeated: the bus repeats what it wants while
// heartbeats show that it was not done.
//
// # Leaving
//
// An agent that leaves takes no more work, lets what runs come to its end for a while (its own choice), then stops it; the result
// of such a stop is stopped, but an attempt with on_agent_lost "requeue" may be left without a terminal result: nobody names it any
// more, and the bus requests the next one.
//
// # The body
//
// The definition is the JSON form that the comment of package jsl describes; substitutions such as #{jobParameters['n']} are not resolved
// yet, and a step without "next" and without a matching transition ends the job. What an agent cannot run it ends as failed, naming the
// element. Processes get JOBSTREAMER_APP, JOBSTREAMER_JOB (the job's name, not its key), JOBSTREAMER_EXECUTION_ID, JOBSTREAMER_ATTEMPT, JOBSTREAMER_STEP and JOBSTREAMER_PARAM_<NAME>
// for each parameter (ASCII letters in upper case, what is no letter or digit of ASCII is _). Two parameters that would be one variable end the execution as failed; the exception names both. With scheduled_for and scheduled_date
// in the execution, a process gets them as JOBSTREAMER_SCHEDULED_FOR and JOBSTREAMER_SCHEDULED_DATE. The exit code is the step's exit status, and other than 0 it has failed.
// The processes that a step has started end with it; on Linux those too that have left its process group.
//
// # Output
//
// Log messages are published through JetStream, and acknowledged. A process that writes faster than its lines can be stored is slowed by its pipe, unless the definition has "log": "lossy". An agent need not wait
// for ever: when nothing could be stored for a minute it may drop lines, but it keeps at least the last 200. What is lost is counted in "dropped" of the message that follows,
// and in "log_dropped" of the terminal result, which begins from log_dropped in the request's execution.
//
// # Permissions
//
// The agent's name is the last token of what it publishes, and its applications are tokens of it, so NATS
// permissions confine an agent: publish jobstreamer.result.<app>.*.*.<agent>, jobstreamer.log.<app>.*.*.<agent>,
// jobstreamer.heartbeat.<agent>, jobstreamer.command.<agent>.ping, $JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_<app>.*, $JS.ACK.JOBSTREAMER_REQUEST_<app>.>
// and $JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.jobstreamer.result.<app>.>; subscribe jobstreamer.command.<agent>.*,
// jobstreamer.heartbeat.<agent> and its inbox; answer requests.
package subjects
