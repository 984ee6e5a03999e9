package child

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// File descriptors of the supervisor's pipes.
const (
	controlFD = 3
	reportFD  = 4
)

// stuckAfter is how long a killed process may take to end. A process that waits
// for a dead disk does not end, and the process of another user cannot be
// killed.
const stuckAfter = 5 * time.Second

// init takes over if the program was started as a supervisor.
func init() {
	if len(os.Args) > 4 && os.Args[0] == Argv0 {
		os.Exit(supervise(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]))
	}
}

// supervisor supervises one process, the leader, and its descendants.
type supervisor struct {
	report *os.File
	leader int // process id
	keep   bool

	// mu is held while a child is reaped, and while signals are sent: so the id
	// of a child cannot pass to another process meanwhile.
	mu            sync.Mutex
	leaderReaped  bool // the leader has ended and was reaped
	stopRequested bool // the agent has told it to end
	killing       bool
	status        syscall.WaitStatus
}

// supervise runs a process and returns when no descendant of it is left.
func supervise(mode, user, dir string, argv []string) int {
	syscall.CloseOnExec(controlFD)
	syscall.CloseOnExec(reportFD)
	su := &supervisor{report: os.NewFile(reportFD, "report"), keep: mode == ModeKeep}
	// A signal to all processes of a terminal or a user must not end the
	// supervisor before its process. The signals are handled instead of
	// ignored, because the process would inherit ignored ones.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		su.reportNumber(Failed, int(errno))
		return 1
	}
	if mode == ModeCheck {
		su.reportNumber(Exited, 0)
		return 0
	}
	if err := su.startLeader(user, dir, argv); err != nil {
		errno, _ := err.(syscall.Errno) //nolint:errorlint // ForkExec returns it as it is
		su.reportNumber(Failed, int(errno))
		return 1
	}
	go su.readControl()
	su.waitForChildren()
	su.reportEnd()
	return 0
}

// startLeader starts the process as the leader of a group. The process dies
// with the supervisor: this is the program's first thread, which lives as long
// as the program (prctl(2), PR_SET_PDEATHSIG).
func (su *supervisor) startLeader(user, dir string, argv []string) error {
	attributes := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != "" {
		if err := changeUser(attributes, user); err != nil {
			return err
		}
	}
	var err error
	su.leader, err = syscall.ForkExec(argv[0], argv[1:], &syscall.ProcAttr{
		Dir: dir, Env: syscall.Environ(), Files: []uintptr{0, 1, 2}, Sys: attributes,
	})
	if err != nil {
		return err
	}
	// The supervisor gives up the output, so that the pipes end with the last
	// process that writes to them.
	_ = syscall.Dup3(0, 1, syscall.O_CLOEXEC)
	_ = syscall.Dup3(0, 2, syscall.O_CLOEXEC)
	su.reportNumber(Started, su.leader)
	return nil
}

// changeUser has the process run as "UID GID", without supplementary groups, in
// a session of its own, so that it has no terminal of the agent's user. It goes
// to its directory as that user.
func changeUser(attributes *syscall.SysProcAttr, user string) error {
	uid, rest := parseNumber(" " + user)
	gid, _ := parseNumber(rest)
	if uid == 0 || gid == 0 {
		return syscall.EINVAL // not root, whatever was meant
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	attributes.Setpgid, attributes.Setsid = false, true
	// Ambient capabilities would survive the change of the user (capabilities(7)).
	const ambient, clearAll = 47, 4 // PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, ambient, clearAll, 0, 0, 0, 0)
	return nil
}

// readControl carries out what the agent writes to the control pipe. The end of
// the pipe means that the agent has died.
func (su *supervisor) readControl() {
	var b [1]byte
	for {
		n, err := syscall.Read(controlFD, b[:])
		switch {
		case err == syscall.EINTR:
		case n == 1 && b[0] == Ask:
			su.signalAll(syscall.SIGTERM)
		case n == 1:
			su.signalAll(syscall.SIGKILL)
		default:
			su.signalAll(syscall.SIGKILL)
			return
		}
	}
}

// waitForChildren reaps children until none is left. The id of an ended child
// is not reused before it is reaped (waitid(2), WNOWAIT).
func (su *supervisor) waitForChildren() {
	for {
		pid, ok := nextEnded()
		if !ok {
			return
		}
		su.mu.Lock()
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &status, 0, nil)
		if pid == su.leader {
			su.leaderReaped, su.status = true, status
			if su.keep && !su.stopRequested {
				// Keep the lock: the agent closes the control pipe when it has
				// read the report, and that must not kill anything.
				return
			}
			su.killAll()
		} else if su.killing {
			su.sendSignal(syscall.SIGKILL) // to the children that this one has left behind
		}
		su.mu.Unlock()
	}
}

// nextEnded blocks until a child has ended and returns its id. It returns false
// if there are no children.
func nextEnded() (pid int, ok bool) {
	const all, exited, noWait = 0, 0x4, 0x1000000
	var info [128]byte // siginfo_t
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, all, 0, uintptr(unsafe.Pointer(&info)), exited|noWait, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		return int(*(*int32)(unsafe.Pointer(&info[pidOffset]))), errno == 0
	}
}

// pidOffset is the offset of si_pid in siginfo_t: after three ints, aligned
// like a pointer.
const pidOffset = (12 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)

// signalAll tells all processes to end.
func (su *supervisor) signalAll(s syscall.Signal) {
	su.mu.Lock()
	defer su.mu.Unlock()
	su.stopRequested = true
	if s == syscall.SIGKILL {
		su.killAll()
		return
	}
	su.sendSignal(s)
}

// killAll kills all children, and those that become children later. The caller
// holds mu.
func (su *supervisor) killAll() {
	if !su.killing {
		su.killing = true
		time.AfterFunc(stuckAfter, su.giveUp)
	}
	su.sendSignal(syscall.SIGKILL)
}

// sendSignal sends a signal to the group of the leader and to all children that
// have left the group. The caller holds mu. No other group can have the
// leader's id before the leader is reaped.
func (su *supervisor) sendSignal(s syscall.Signal) {
	if !su.leaderReaped {
		_ = syscall.Kill(-su.leader, s) // it may just have ended
	}
	for _, p := range children() {
		if s == syscall.SIGKILL || p.group != su.leader { // members of the group already have the signal
			_ = syscall.Kill(p.pid, s) // giveUp reports a child that survives
		}
	}
}

// giveUp reports the children that are left and ends the supervisor.
func (su *supervisor) giveUp() {
	su.mu.Lock() // never unlocked
	for _, p := range children() {
		su.writeReport(Stuck + " " + formatInt(p.pid) + " " + p.name + "\n")
	}
	su.reportEnd()
	os.Exit(0)
}

func (su *supervisor) reportNumber(what string, n int) {
	su.writeReport(what + " " + formatInt(n) + "\n")
}

// writeReport ignores errors: without a reader the agent has died.
func (su *supervisor) writeReport(line string) { _, _ = su.report.WriteString(line) }

func (su *supervisor) reportEnd() {
	if su.status.Signaled() {
		su.reportNumber(Signaled, int(su.status.Signal()))
		return
	}
	su.reportNumber(Exited, su.status.ExitStatus())
}

// childProcess is a child of this process.
type childProcess struct {
	pid, group int
	name       string
}

// children returns the children of this process that have not ended.
func children() []childProcess {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	self := os.Getpid()
	var all []childProcess
	for _, name := range names {
		pid, ok := parseInt(name)
		if !ok {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		if r, parent, ok := parseStat(stat); ok && parent == self {
			r.pid = pid
			all = append(all, r)
		}
	}
	return all
}

// parseStat parses "<pid> (<name>) <state> <parent> <group> ...". It returns
// false if the process has ended. The name may contain any character.
func parseStat(stat []byte) (r childProcess, parent int, ok bool) {
	open, end := 0, len(stat)-1
	for open < len(stat) && stat[open] != '(' {
		open++
	}
	for end > open && stat[end] != ')' {
		end--
	}
	if end <= open || end+2 >= len(stat) || stat[end+2] == 'Z' || stat[end+2] == 'X' {
		return r, 0, false
	}
	for _, b := range stat[open+1 : end] {
		if b < ' ' {
			b = '?'
		}
		r.name += string(rune(b))
	}
	rest := string(stat[end+2:]) // <state> <parent> <group>
	parent, rest = parseNumber(rest[1:])
	r.group, _ = parseNumber(rest)
	return r, parent, true
}

// parseNumber parses the number after a space and returns the text after it.
func parseNumber(text string) (n int, rest string) {
	i := 1
	for i < len(text) && text[i] != ' ' {
		i++
	}
	if i > len(text) {
		return 0, ""
	}
	n, _ = parseInt(text[1:i])
	return n, text[i:]
}

func parseInt(text string) (n int, ok bool) {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int(text[i]-'0')
	}
	return n, text != ""
}

func formatInt(n int) string {
	if n < 0 {
		return "-" + formatInt(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return formatInt(n/10) + string(rune('0'+n%10))
}
