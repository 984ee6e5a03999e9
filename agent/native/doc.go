// Package native runs jobs in Go: steps one after another, each with a batchlet
// that is a shell command or a function of the program.
//
//	definition --> parse --> Unsupported? --> substitute --> steps --> transitions --> Outcome
//	                                                           |
//	                                            ShellBatchlet or agent.BatchletFunc
//
// What it cannot run yet ([Unsupported]) fails the attempt before anything has
// run.
//
// # org.jobstreamer.batch.ShellBatchlet
//
//	command   a command line for /bin/sh -c (cmd /C on Windows), or
//	script    the text of a script (it has a line break or begins with #!), or its path
//	args      arguments of the script, separated by spaces; '...' and "..." hold spaces
//	dir       where it runs; default: where the agent runs. A relative script is sought there
//	timeout   10m, 90s or a number of seconds; the step fails when it is over
//	background  end (default) or keep: whether other processes of the step end with it
//	env.NAME  a variable of its environment
//
// They are properties of the batchlet; those of the step are looked at too,
// where the original has them. The exit code is the step's exit status, "0"
// included; a step whose code is not zero has failed, and so has one that was
// killed by a signal, whose exit status is 128 and the signal's number.
// Transitions still match it. Lines of stdout are of the level info, those of
// stderr warn: programs write much to it that is no error.
//
// # The environment of a process
//
// It gets PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_*, TZ, TMPDIR (on Windows
// what cmd needs), and what [Config.Env] names; nothing else of the agent's,
// whose own variables may hold credentials. Then env.*, and last
//
//	JOBSTREAMER_APP, _JOB, _EXECUTION_ID, _ATTEMPT, _STEP   what it runs for
//	JOBSTREAMER_PARAM_<NAME>     a parameter; NAME is in capitals, with _ for other characters
//	JOBSTREAMER_SCHEDULED_FOR    the nominal time of its fire, or of the one it restarts: RFC 3339
//	JOBSTREAMER_SCHEDULED_DATE   the date of that time in the schedule's time zone: 2026-11-24
//
// An execution with two parameters that would be one variable fails before
// anything has run.
//
// # The end of a process
//
// On Linux, every process that a step has started ends with the step. It does
// not matter whether it has left the group, by setsid or a double fork: an
// operator who sees that a step has ended, was stopped or timed out may rely on
// that nothing of it still writes files or holds locks, and a further attempt
// or a restart does not meet its predecessor. The opposite rule, that daemons
// live on, cannot be certain: whether a child has called setsid when its parent
// ends is chance. A service is started by its manager, which keeps an eye on it
// (systemctl start, docker run -d), or by a step with background=keep: what
// still runs when its process has ended by itself is left alone then, wherever
// it is. A stop, a timeout and the end of the agent end it all the same while
// the step runs.
//
// Between the agent and the process stands a supervisor: the program itself,
// run again (/proc/self/exe) as a child subreaper. It adopts what loses its
// parent, and reports the end of the step when nothing is left. If the agent
// dies, even by kill -9, it kills everything at once. A program that imports
// this package need do nothing for that: at such a start it never comes to
// main, nor to most of its init functions. Where a supervisor cannot run (no
// /proc, a Go library in another program) the agent warns, and the group is all
// that ends, when the step does, and the process alone when the agent dies.
// What does not end within 5 s although it was killed, since it hangs in the
// kernel or has become another user's, is named in the log.
//
// On other systems each process leads a group (macOS), or is the root of a tree
// (Windows), and what has left that lives on.
//
// On a stop, or when the agent leaves, processes get SIGTERM and after the
// grace SIGKILL; when the attempt was dropped or fenced off, or contact was
// lost, SIGKILL at once, since the next attempt may already run. On all systems
// the next life of the agent kills the groups that the last one has left; it
// knows them by process id and start time.
//
// # Restarts and further attempts
//
// Steps that are completed are passed over, by the transition that their old
// exit status takes, unless allow_start_if_complete is set. A start_limit
// counts over the job instance.
package native
