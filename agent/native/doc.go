// Package native runs jobs in Go. Package jobflow decides which element runs
// next. Package chunk runs the loop of a chunk step. The batchlet of a step is a
// shell command or a Go function of the program. All other artifacts are Go
// code.
//
//	definition --> parse --> substitute --> check --> jobflow.Run --> Outcome
//	                                                       |
//	                 listeners, deciders, partitions, batchlets and chunks
//
// An attempt of a job fails before any step runs if the job refers to an
// artifact that the agent does not have.
//
// # org.jobstreamer.batch.ShellBatchlet
//
// The batchlet has these properties. A property of the step is used if the
// batchlet does not have it, since v1 jobs have them there.
//
//	command     a command line for /bin/sh -c (cmd /C on Windows), or
//	script      a script: its path, or its text (several lines, or one with #!);
//	            a path must name a regular file; package jsl refuses job
//	            parameters in both
//	args        arguments of the script, separated by spaces; '...' and "..."
//	            hold spaces
//	dir         working directory, also of a relative script; default: the agent's
//	timeout     10m, 90s or a number of seconds; the step fails when it is over
//	background  end (default) or keep: whether other processes of the step end
//	            with it
//	env.NAME    an environment variable
//	secrets     secrets of the application for the environment: NAME or
//	            VARIABLE=NAME, with commas between them; no substitutions
//
// The agent asks the control bus for secrets when the step begins. They are in
// the environment of the process only: in no arguments and no files. Their
// variables come after env.*, and none begins with JOBSTREAMER_. The exit
// status and the values of a step are redacted before transitions and later
// steps see them, so that a restart sees the same; see [agent.Secrets].
//
// The exit code is the exit status of the step, including "0", unless the
// process has written another one to the file JOBSTREAMER_OUTPUT. A step with
// another code than zero has failed. So has a step that was killed by a signal;
// its exit status is 128 plus the number of the signal. Transitions can match
// each of them. Lines of stdout have the level info. Lines of stderr have the
// level warn, because programs write much to stderr that is no error.
//
// # org.jobstreamer.batch.ConditionDecider
//
// The built-in decider answers a decision by conditions. The name of each
// property is an answer, its value is the condition for it. The first property
// whose condition holds is the answer; without one the job fails. A condition
// is "otherwise", which always holds, or comparisons with " and " between them:
//
//	exit is COMPLETED         the exit status of the step before the decision
//	step.load is not 1?       that of the newest execution of a step
//	status.load is FAILED     its batch status
//	param.rows >= 1000        a job parameter
//
// "is" and "is not" compare with a pattern, in which * stands for any characters
// and ? for one. <, <=, > and >= compare numbers. Behind a flow that ends with a
// split, or behind a split, exit stands for one step of each flow, and the
// comparison must hold for all of them. A step that never ran and a parameter
// that is not given have an empty text.
//
// # Listeners
//
// Listeners of the job are called before its first and after its last element,
// those of a step before and after its body, in the order of the document. The
// errors of all are failures: see [agent.JobListener] and [agent.StepListener].
//
// # The environment of a process
//
// A process gets PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_*, TZ, TMPDIR (on
// Windows what cmd needs) and the variables of [Config.Env] from the agent's
// environment. It gets no others, because they may hold the agent's
// credentials. Then come env.*, and last
//
//	JOBSTREAMER_APP, _JOB, _EXECUTION_ID, _ATTEMPT, _STEP
//	                            what the process runs for
//	JOBSTREAMER_PARAM_<NAME>    a parameter; NAME in capitals, with _ for
//	                            characters other than letters and digits
//	JOBSTREAMER_SCHEDULED_FOR   the nominal time of the fire, or of the fire of
//	                            the execution that it restarts: RFC 3339
//	JOBSTREAMER_SCHEDULED_DATE  the date of that time in the time zone of the
//	                            schedule: 2026-11-24
//	JOBSTREAMER_VALUE_<NAME>    a value that an earlier step has set
//	JOBSTREAMER_PERSISTENT_DATA what an earlier execution of the step has set
//	JOBSTREAMER_OUTPUT          the file for all of these: see package subjects
//
// If two parameters have the same variable, the execution fails before any step
// runs.
//
// With [Config.RunAs], processes run as another user, with the group of that
// user and no others, no terminal and no capabilities. Each attempt gets a
// folder that belongs to the user. It is TMPDIR, the working directory of steps
// that have no property dir, and HOME if the user's own does not exist; it is
// removed when the attempt ends. The supervisor keeps the rights of the agent,
// so the processes cannot kill it. Go functions run in the agent, with its
// rights.
//
// # The end of a process
//
// On Linux, every process that a step has started ends with the step, even if
// it has left the process group by setsid or a double fork. An operator who
// sees that a step has ended can rely on it: no process of the step still
// writes files or holds locks, and a further attempt or a restart does not run
// beside one. The opposite rule, that daemons live on, would depend on chance:
// whether the child has called setsid when its parent ends.
//
// A service is started by its manager (systemctl start, docker run -d), or by a
// step with background=keep. Such a step leaves all processes alone that still
// run when its own process has ended by itself. A stop, a timeout and the end
// of the agent still end them while the step runs.
//
// A supervisor stands between the agent and the process. It is the agent's
// program (/proc/self/exe), run again as a child subreaper: it adopts processes
// that lose their parent, and reports the end of the step when none is left. If
// the agent dies, even by kill -9, the supervisor kills everything at once. A
// program that imports this package needs to do nothing for that. When it is
// started as a supervisor, it reaches neither main nor most of its init
// functions.
//
// Where a supervisor cannot run (no /proc, or a Go library in another program),
// the agent logs a warning. Then only the process group ends with the step, and
// only the process itself dies with the agent. A process that hangs in the
// kernel or belongs to another user may survive SIGKILL; after 5 s it is named
// in the log and left alone.
//
// On macOS each process leads a process group, on Windows it is the root of a
// process tree. Processes that have left the group or the tree live on.
//
// On a stop, or when the agent leaves, processes get SIGTERM and after the
// grace period SIGKILL. When the attempt was dropped or fenced, or contact was
// lost, they get SIGKILL at once, since the next attempt may already run. On
// all systems an agent that starts kills the process groups that an earlier
// agent with the same DataDir has left. It recognises them by process id and
// start time.
//
// # Restarts and further attempts
//
// A completed step is skipped, unless it has allow_start_if_complete, and the
// output says so. The job continues by the transition for the step's earlier
// exit status. Decisions are asked again. A start_limit counts over the whole
// job instance. The comment of package jobflow has all rules.
package native
