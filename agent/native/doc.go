// Package native runs jobs in Go: steps one after another, each with a batchlet that is a shell command or a
// function of the program.
//
//	definition --> parse (kept) --> Unsupported? --> substitute --> steps --> transitions --> Outcome
//	                                                                  |
//	                                             ShellBatchlet or agent.BatchletFunc
//
// What it cannot run yet ([Unsupported]) fails the attempt before anything has run.
//
// # org.jobstreamer.batch.ShellBatchlet
//
//	command   a command line for /bin/sh -c (cmd /C on Windows), or
//	script    the text of a script, if it has a line break or begins with #!, else the path of one
//	args      arguments of the script, separated by spaces; '...' and "..." hold spaces
//	dir       where it runs; default: where the agent runs. A relative script is sought there
//	timeout   10m, 90s or a number of seconds; the step fails when it is over
//	env.NAME  a variable of its environment
//
// They are properties of the batchlet; those of the step are looked at too, where the original has them.
// The exit code is the step's exit status, "0" included; a step whose code is not zero has failed, and so has one that
// was killed by a signal, whose exit status is 128 and the signal's number. Transitions still match it.
// Lines of stdout are of the level info, those of stderr warn: programs write much to it that is no error.
//
// # The environment of a process
//
// It gets PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_*, TZ, TMPDIR (on Windows what cmd needs), and what [Config.Env] names; nothing
// else of the agent's, whose own variables may hold credentials. Then env.*, and last
//
//	JOBSTREAMER_APP, _JOB, _EXECUTION_ID, _ATTEMPT, _STEP   what it runs for
//	JOBSTREAMER_PARAM_<NAME>                                a parameter; the name in capitals, _ for what is not a letter or digit
//
// # The end of a process
//
// Each process leads a group. When it ends, so does the rest of its group: nothing outlives its step but what left
// the group by intent. On a stop, or when the agent leaves, the group gets SIGTERM and after the grace
// SIGKILL; when the attempt was dropped or fenced off, or contact was lost, SIGKILL at once, since the next
// attempt may already run. On Linux the process is killed when the agent dies, and on all systems the next life of the
// agent kills the groups that the last one has left; it knows them by process id and start time.
//
// # Restarts and further attempts
//
// Steps that are completed are passed over, by the transition that their old exit status takes, unless
// allow_start_if_complete is set. A start_limit counts over the job instance.
package native
