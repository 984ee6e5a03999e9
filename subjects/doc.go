// Package subjects is the contract between the control bus and its agents:
// subjects, headers, payloads and rules. The package imports only the standard
// library. This text is enough to write an agent in any language;
// agent/examples/agent.py is one in about five hundred lines.
//
//	jobstreamer.request.<app>.<pool>.<priority>.<execution>
//	    [Request]: the bus asks one agent to run an execution (work queue)
//	jobstreamer.result.<app>.<job>.<execution>.<who>
//	    [Result]: an agent, or "bus", reports to the stream RESULTS
//	jobstreamer.log.<app>.<job>.<execution>.<agent>
//	    [LogMessage]: an agent sends output to the stream LOGS
//	jobstreamer.heartbeat.<agent>
//	    [Heartbeat]: an agent tells every bus that it is alive (core NATS)
//	jobstreamer.command.<agent>.<verb>
//	    [Command]: the bus tells one agent what to do (request and reply)
//	jobstreamer.secret.<app>.<agent>
//	    [SecretRequest]: an agent asks any bus for secrets (request and reply)
//	jobstreamer.event.<kind>...
//	    [Event]: the bus tells anyone who subscribes (core NATS)
//
// Payloads are JSON with the field names of the REST API. Times are RFC 3339 in
// UTC with milliseconds.
//
// Names of applications, pools and agents match [NamePattern], so each is one
// token of a subject. The name of a job can be any XML NCName. Subjects, bucket
// keys and messages ("job") therefore hold the job's key, which matches
// [NamePattern] too. The bus derives the key from the name that the job was
// created with; the key is that name itself if it matches. Renaming a job does
// not change its key. The present name of a job is the id of its definition.
//
// An execution id is a positive integer, unique in the whole system.
//
// # Fetching requests
//
// Each application has a stream JOBSTREAMER_REQUEST_<app> with work-queue
// retention. The stream has one durable pull consumer, <pool>=<priority>, for
// each pool and each of the priorities high, normal and low. The bus creates
// stream and consumers for the pools that jobs name, and for pools that a
// heartbeat names, in applications that exist, up to 64 in each. Until they
// exist, the broker answers a pull with "no responders": the agent pulls again
// after a second.
//
// To pull, an agent publishes {"batch":n,"expires":nanoseconds} with a reply
// inbox to $JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>; every NATS client has
// a call for it. With "no_wait":true the broker answers immediately. The agent
// asks for no more requests than it has free slots, and pulls from the higher
// priority first.
//
// A message with a Status header and no body ends the pull:
//
//	404  there is no request
//	408  the pull has expired
//	503  the consumer does not exist yet
//	409  pull again later
//
// An agent that receives a request and has no free slot returns the request
// immediately with a negative acknowledgement (-NAK).
//
// AckWait is 30 s. An agent does not claim a request that it has held longer
// than [MaxHold]. It measures by the wall clock, since the monotonic clock
// stops while a machine sleeps, and from the moment when it sent the pull or
// last heard the broker. It drops such a request without an acknowledgement,
// and the broker delivers it again. The same holds for a request that it cannot
// decode.
//
// # Claiming
//
// The broker may deliver a request twice, or late. The claim makes an execution
// run once. A claim is the first [Result] of an attempt. Its batch_status is
// "starting" or "started". The agent publishes it to its result subject through
// JetStream, as a NATS request, so that the stream answers with an
// acknowledgement. It carries two headers:
//
//	Nats-Expected-Last-Subject-Sequence: <expected_sequence of the request>
//	Nats-Expected-Last-Subject-Sequence-Subject: jobstreamer.result.<app>.<job>.<execution>.*
//
// The broker stores the claim of one agent. It refuses all others with
//
//	{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: N"},"seq":0}
//
// What the agent does next depends on the answer:
//
//   - The claim is stored: acknowledge the request (+ACK), run the execution.
//   - The claim is refused (10071): another agent has claimed the execution, or
//     it has ended. Acknowledge the request and forget it, unless the last
//     message of the filter is the agent's own claim (see "Unknown outcome").
//   - Error code 10164: nothing is decided. The cluster is storing another
//     message of the filter, perhaps an earlier copy of this claim. Send the
//     claim again until it is stored or refused with 10071.
//   - Any other failure: neither acknowledge the request nor run the execution.
//     The broker delivers the request again.
//
// The claim's "execution" is a copy of the object "execution" in the request,
// unchanged. If the record of the execution was lost, a bus rebuilds it from
// the claim.
//
// # Running
//
// An agent stores "started" before the body begins. An agent that has nothing
// to prepare claims with "started".
//
// Every later result of the attempt expects, with the same filter, the sequence
// of the result before it: the "seq" of the stream's acknowledgement. This is a
// fence. When the bus has declared the agent lost, or has stopped the
// execution, the broker refuses the agent's next result. The agent then ends
// the body and writes what it knows to a log line.
//
// "steps" of a result holds the steps that have changed, each as a whole
// [StepExecution], except for the data that the next section describes. Flows of
// a split run steps at the same time: any number of steps may be started. Step
// execution ids continue from those in the request's execution. The agent stores
// the end of a step before a step that follows it begins. It stores the start of
// a step too, unless the step runs only for a moment.
//
// Only the agent that has claimed an attempt reports it. The bus skips a result
// of another agent, whatever its payload says, and a result of an agent that
// follows an end. The result keeps its place in the sequence, so the broker
// refuses the next result of the claiming agent, and the attempt ends as lost.
//
// The last result of an attempt is terminal: completed, failed or stopped. The
// agent publishes it again until the broker has stored or refused it, and after
// a restart of the agent too. Until then, the agent's heartbeats name the
// execution.
//
// # What a step keeps
//
// A step keeps three values for a restart of the job, and for the next attempt
// when an agent was lost. Each is any JSON. The bus stores them and gives them
// back; it never looks into them.
//
//	persistent_data    persistent user data of the step (9.4.1.1); up to 256 KiB
//	reader_checkpoint  what the reader of a chunk returned as its checkpoint; up to 1 MiB
//	writer_checkpoint  what its writer returned; up to 1 MiB
//
// A runtime whose values are not JSON stores a string: a Java host stores its
// serialized objects in Base64. Sizes count the bytes of the JSON. An agent
// refuses larger values, and values that together do not fit into one message:
// the broker accepts messages up to the "max_payload" of its INFO, or answers
// with error code 10054. The step then fails, and the exception says so.
//
// A checkpoint counts once its result is stored, and not before. A chunk
// therefore ends in this order: write the items, take both checkpoints, publish
// the result that holds them, wait for the acknowledgement, begin the next chunk.
// A target in which items and checkpoint are one transaction may keep a
// checkpoint of its own. What a step did after the last stored checkpoint is done
// again by a restart.
//
// Such a target needs to know whether its checkpoint belongs to the items that
// are being written. "run" of a step execution tells: any text of up to 32
// characters, which the agent chooses when a step begins without checkpoints, and
// repeats when it goes on. The result that has it is stored before the target is
// opened. It is chosen anew if the execution of the step
// before was completed, or if its partitions are overridden.
//
// In a result, a value that is absent is as before, also as in an earlier
// execution of the step. null removes it. An agent need not repeat a value that
// is stored. When a step is completed, the bus removes its checkpoints and those
// of its partitions. When an execution is completed or abandoned, the bus
// removes all that its steps keep.
//
// A step with partitions has "partition_count", fixed when it begins, at most
// [MaxPartitions]. "partitions" of a result holds those that have changed, each
// as a whole [Partition] with its number, from 0; the bus merges them into the
// step by number. Each partition keeps the three values for itself. The terminal
// result may hold partitions, too. Changes that are too large for one result
// are published in several, one after another; a result may repeat a step to
// report more of its partitions.
//
// "metrics" counts since the step execution began, for each partition, and for
// a step with partitions their sum. Zeros are absent.
//
// "steps" of a request has a [StepState] for each step that has begun in the job
// instance: the state of its newest execution, with all values that it keeps,
// and its partitions. A step that the lost agent did not end is failed; so are
// its partitions. A step that runs again begins with these values, and a
// partition with its own. A step that was completed begins without checkpoints
// and without partitions. Any other step with partitions has the "partition_count"
// of the state from its first result on. To run with another number it reports
// that number with "partitions_override": the bus then forgets the partitions of
// earlier executions (10.8.5).
//
// A request must fit into one message, too. If the values of all steps together
// do not, the bus ends the execution as failed, and the exception says so.
//
// # Unknown outcome
//
// The outcome of a publish is unknown if no acknowledgement arrives (a timeout,
// a lost connection), or one that is neither "stored" nor 10071. The agent then
// publishes the same message again. If that is refused, the agent reads the
// last message of the filter by
// $JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.<filter>. The header Nats-Sequence of
// the answer is the sequence of that message; status 404 counts as sequence 0.
//
//   - The message has the same "handling" and "number": it is the agent's own,
//     and was stored.
//   - The message is older than the sequence in the refusal ("wrong last
//     sequence: N"): a replica that lags has answered. Read again.
//   - The message has the same "handling" and a lower "number": the result
//     published between the two was not stored. Publish with the sequence of
//     this message as the expected one.
//
// "handling" is a random id for one handling of one delivery. The agent's name
// would not do: two slots of one agent must not take each other's claims for
// their own.
//
// Never send Nats-Msg-Id with a result. The broker would answer a second copy
// as a duplicate, with success, even behind a fence. (Log messages may have
// one.) Do not let the client library buffer messages over a reconnect.
//
// # Heartbeats
//
// An agent publishes a [Heartbeat] every interval_ms (2,000 is usual, 10,000
// the maximum). It also publishes one immediately when it starts, when its
// status changes, and when it leaves; the last one has the status "gone". An
// agent that wants to know whether a bus listens sends the heartbeat as a
// request; the answer is an empty object. The bus answers only to reply
// subjects that begin with _INBOX.<agent>. (or _R_., as NATS makes them for a
// request from another account). An agent knows that the broker has received a
// heartbeat when it receives that heartbeat on its own subject, or when the
// broker answers a PING of the connection.
//
// "executions" names each execution with its attempt, from the fetch until the
// terminal result is stored. An execution that no heartbeat has named for
// [LostAfter] intervals is lost. The bus then ends it as failed, or requests
// the next attempt. An agent that could not send heartbeats for that long ends
// the work that the bus may start elsewhere by itself: executions with
// on_agent_lost "requeue", and exclusive ones. Only heartbeats of the agent
// that has claimed an execution keep it from being lost, by the interval of
// that agent. It goes on with the others; if the bus has ended one of them, the
// agent receives "drop" when it can be reached again. An agent that starts ends
// the processes that its previous run left behind.
//
// At most one live agent has a name. An agent process draws a random id,
// "life", when it starts. Before its first heartbeat it sends the command
// "ping" to its own name; if another process answers, it gives up. It answers
// pings only from the moment when it has the name. Two processes may have one
// name all the same, if one of them was paused. The one that started earlier
// then leaves when it receives a heartbeat of the other, without sending
// "gone".
//
// # Commands
//
//	stop    {"execution_id":1,"attempt":1}
//	        end the body, gracefully at first; the terminal result is stopped
//	drop    {"execution_id":1,"attempt":1}
//	        the attempt is fenced off: end the body, publish nothing
//	drain   {}  take no new work; the status becomes blocked
//	resume  {}  take work again
//	ping    {}  answer with "life"
//
// The agent answers each command with a [CommandReply]. A command may be lost,
// or arrive twice: the bus sends it again while heartbeats show that the agent
// has not carried it out.
//
// # Leaving
//
// An agent that leaves takes no new work. It lets its executions run for a
// grace period of its own choice, then stops them. The result of such a stop is
// stopped. For an attempt with on_agent_lost "requeue" the agent may publish no
// terminal result: heartbeats no longer name the attempt, and the bus requests
// the next one.
//
// # The body
//
// The definition is the JSON form that the comment of package jsl describes.
// Substitutions such as #{jobParameters['n']} are not resolved yet. A step
// without "next" and without a matching transition ends the job. An agent that
// cannot run an element ends the execution as failed before any step begins. The
// exception names the element, or the artifact that the agent does not have.
//
// A process gets these environment variables:
//
//	JOBSTREAMER_APP
//	JOBSTREAMER_JOB             the job's name, not its key
//	JOBSTREAMER_EXECUTION_ID
//	JOBSTREAMER_ATTEMPT
//	JOBSTREAMER_STEP
//	JOBSTREAMER_PARAM_<NAME>    one for each job parameter
//	JOBSTREAMER_SCHEDULED_FOR   if the execution has scheduled_for
//	JOBSTREAMER_SCHEDULED_DATE  if the execution has scheduled_date
//	JOBSTREAMER_OUTPUT          a file to write to
//	JOBSTREAMER_VALUE_<NAME>    one for each value that an earlier step has set
//	JOBSTREAMER_PERSISTENT_DATA if an earlier execution of the step has set it
//
// In the name of a parameter's variable, ASCII letters are in upper case, ASCII
// digits stay, and any other character becomes "_". If two parameters would be
// the same variable, the agent ends the execution as failed, and the exception
// names both.
//
// The exit code is the step's exit status, unless the process sets another one;
// a step with another exit code than 0 has failed. When a step ends, the agent
// ends the processes that the step has started; on Linux also those that have
// left its process group.
//
// # Output of a step
//
// JOBSTREAMER_OUTPUT names an empty file. A process writes settings to it, in
// UTF-8: one a line, or as several lines up to a word of its choice.
//
//	exit_status=NOTHING_TO_DO
//	persistent_data=page 7
//	value.count=17
//	value.report<<END
//	first line
//	second line
//	END
//
// The agent reads the file when the step ends, also if the step has failed or
// was stopped. The first "=" or "<<" of a line ends the name. Empty lines count
// only within a value; a CR at the end of a line is removed; if a name occurs
// again, the last one counts. Another line, or a file of more than [MaxOutput]
// bytes, fails the step, and the exception names the line; the file has no
// effect then. [ParseOutput] is this format in Go.
//
//   - exit_status replaces the exit code as the step's exit status. It is one
//     line, and not empty. It does not change whether the step has failed.
//   - persistent_data is stored as a JSON string in the step's persistent_data.
//     It has at most [MaxValues] bytes. The next execution of the step in the
//     same job instance gets the text. If persistent_data is no string, because
//     another runtime has set it, the process gets its JSON.
//     If the system does not start a process with so much (Linux takes up to 128
//     KiB a variable), the step fails, and the exception names the largest
//     variable.
//   - value.NAME is a value for the steps that begin later. NAME has up to 64 of
//     a-z, 0-9 and "_" and does not begin with a digit; the variable has it in
//     upper case. If several steps have set a value, that of the step which
//     ended last counts.
//
// The values of a step are in "values" of its [StepExecution], and in "values"
// of its [StepState] for a restart or a further attempt. So a step that is
// skipped hands its values over too. When a step starts again, its earlier
// values are gone. The values of all steps of a request and of the attempt have
// at most [MaxValues] bytes together, names and texts; the step that exceeds
// that fails.
//
// # Secrets
//
// An application has secrets: values with names of up to 128 of A-Z, a-z, 0-9
// and "_", with no digit at the beginning. The bus stores them encrypted. No
// definition, request or record holds one. An agent asks for those that a step
// names, when the step begins:
//
//	jobstreamer.secret.<app>.<agent>
//	{"execution_id":4711,"job":"nightly","attempt":1,"handling":"...",
//	 "names":["DB_PASSWORD"],"public_key":"<Base64 of 32 bytes, X25519>"}
//
//	{"sealed":"<Base64>"}
//	{"error":{"code":"unknown_names","message":"...","names":["DB_PASSWORD"]}}
//
// Job, execution, attempt and handling are those of the claim; the agent is the
// one of the subject, which NATS permissions confine. The names are 1 to 16,
// each once. One of the buses answers, to a reply subject that begins with
// _INBOX.<agent>. or _R_., as for heartbeats.
//
// The answer is sealed, since operators watch the subjects of NATS. It is HPKE
// (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
// AES-256-GCM. The info is the ASCII text "jobstreamer.secret 4711 1": execution
// and attempt. The associated data is empty. "sealed" is the encapsulated key
// (32 bytes) followed by the ciphertext. The plaintext is a JSON object with a
// string for each name of the request, and no others. An agent draws a key pair
// for each request. [SealSecrets] and [SecretKey.Open] are this in Go.
//
// The code of an error says what the agent does:
//
//   - "not_claimed": the bus has not seen the claim yet. Ask again, with a pause
//     that grows, for a bounded time.
//   - "unknown_names": the application does not have the secrets in "names";
//     these are all such names of the request. The step fails. A bus that has no
//     key for secrets answers this, too, if the application has none of them.
//   - "refused": the claim of this attempt is not of this agent and handling, or
//     the execution has ended. The step fails.
//   - "unavailable": the application has the secrets, but the bus cannot decrypt
//     them; the message says why. Ask again as for "not_claimed": another bus
//     may be able to.
//   - "invalid": the request is not as above. The step fails.
//
// If no answer arrives, the agent asks again, too. An agent keeps secrets in
// memory, and only until the attempt ends. A process gets them as variables of
// its environment, under names that do not begin with JOBSTREAMER_. Only the
// definition chooses them: an agent refuses substitutions in their names.
//
// An agent replaces each secret that an attempt has obtained by *** in what it
// publishes for the attempt: lines of output, exit statuses, exceptions, and
// values for later steps. Lines of output never have a secret of several lines,
// so each of its lines counts as a secret. Texts of fewer than 4 characters are
// not replaced: they occur by accident. Data for a restart that holds a secret
// is refused, and the step fails: a changed checkpoint would be a wrong one.
//
// # Log messages
//
// An agent publishes log messages through JetStream and waits for the
// acknowledgements. A process that writes faster than its lines can be stored
// is blocked by its full pipe, unless the definition has "log": "lossy". The
// wait may be bounded: when no line could be stored for a minute, an agent may
// drop lines, but it keeps at least the last 200. The next message counts the
// dropped lines in "dropped". The terminal result counts them in "log_dropped",
// which begins from log_dropped in the request's execution.
//
// # Permissions
//
// The subjects that an agent publishes to contain its name and its
// applications, so NATS permissions can confine an agent. It needs to publish
//
//	jobstreamer.result.<app>.*.*.<agent>
//	jobstreamer.log.<app>.*.*.<agent>
//	jobstreamer.heartbeat.<agent>
//	jobstreamer.command.<agent>.ping
//	jobstreamer.secret.<app>.<agent>
//	$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_<app>.*
//	$JS.ACK.JOBSTREAMER_REQUEST_<app>.>
//	$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.jobstreamer.result.<app>.>
//
// to subscribe to jobstreamer.command.<agent>.*, jobstreamer.heartbeat.<agent>
// and _INBOX.<agent>.>, and to answer requests. All its reply subjects begin
// with _INBOX.<agent>. (the "inbox prefix" of NATS clients).
package subjects
