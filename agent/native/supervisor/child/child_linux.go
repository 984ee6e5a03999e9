package child

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// The pipes of a supervisor.
const (
	controlFD = 3
	reportFD  = 4
)

// stuckAfter is how long a killed process may take to end. One that waits for a
// dead disk does not end, and one that has become another user's may not be
// killed.
const stuckAfter = 5 * time.Second

// init takes over if the program is called as a supervisor.
func init() {
	if len(os.Args) > 1 && os.Args[0] == Argv0 {
		os.Exit(supervise(os.Args[1], os.Args[2:]))
	}
}

// child is a supervisor at work.
type child struct {
	report *os.File
	leader int // the process
	keep   bool

	mu      sync.Mutex // held to wait for a child, and to send signals: the id of a child stays its own meanwhile
	waited  bool       // the leader has been waited for
	told    bool       // to end
	killing bool
	status  syscall.WaitStatus
}

// supervise runs a process and returns when nothing of it is left.
func supervise(mode string, argv []string) int {
	syscall.CloseOnExec(controlFD)
	syscall.CloseOnExec(reportFD)
	c := &child{report: os.NewFile(reportFD, "report"), keep: mode == ModeKeep}
	// Handled, not ignored: what is ignored stays so in the process. A signal
	// to all processes of a terminal or a user must not end the supervisor
	// before what it supervises.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		c.say(Failed, int(errno))
		return 1
	}
	if mode == ModeCheck {
		c.say(Exited, 0)
		return 0
	}
	if err := c.start(argv); err != nil {
		errno, _ := err.(syscall.Errno) //nolint:errorlint // ForkExec returns it as it is
		c.say(Failed, int(errno))
		return 1
	}
	go c.obey()
	c.wait()
	c.sayEnd()
	return 0
}

// start starts the process as the leader of a group. It dies with the
// supervisor: this is the program's first thread, which lasts as long as the
// program (prctl(2), PR_SET_PDEATHSIG).
func (c *child) start(argv []string) error {
	var err error
	c.leader, err = syscall.ForkExec(argv[0], argv[1:], &syscall.ProcAttr{
		Env: syscall.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return err
	}
	// The output belongs to the process: it has ended when the last one that
	// has it ends.
	_ = syscall.Dup3(0, 1, syscall.O_CLOEXEC)
	_ = syscall.Dup3(0, 2, syscall.O_CLOEXEC)
	c.say(Started, c.leader)
	return nil
}

// obey does what the agent says. The end of the pipe is the agent's.
func (c *child) obey() {
	var b [1]byte
	for {
		n, err := syscall.Read(controlFD, b[:])
		switch {
		case err == syscall.EINTR:
		case n == 1 && b[0] == Ask:
			c.signal(syscall.SIGTERM)
		case n == 1:
			c.signal(syscall.SIGKILL)
		default:
			c.signal(syscall.SIGKILL)
			return
		}
	}
}

// wait waits for all children. Between the end of a child and the wait for it
// its id is nobody else's (waitid(2), WNOWAIT).
func (c *child) wait() {
	for {
		pid, ok := nextEnded()
		if !ok {
			return
		}
		c.mu.Lock()
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &status, 0, nil)
		if pid == c.leader {
			c.waited, c.status = true, status
			if c.keep && !c.told {
				return // with the lock: the agent closes its pipe when it has read the report, and nothing may be killed for that
			}
			c.kill()
		} else if c.killing {
			c.send(syscall.SIGKILL) // what this child has left behind
		}
		c.mu.Unlock()
	}
}

// nextEnded blocks until a child has ended, and returns its id. It reports
// whether there are children.
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

// pidOffset is where siginfo_t has si_pid: after three ints, aligned as a
// pointer is.
const pidOffset = (12 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)

// signal tells everything to end.
func (c *child) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
	if s == syscall.SIGKILL {
		c.kill()
		return
	}
	c.send(s)
}

// kill kills the children now, and those that come; c.mu is held.
func (c *child) kill() {
	if !c.killing {
		c.killing = true
		time.AfterFunc(stuckAfter, c.giveUp)
	}
	c.send(syscall.SIGKILL)
}

// send sends a signal to the group of the leader and to all children, those too
// that have left the group; c.mu is held. The group is not anybody else's while
// the leader was not waited for.
func (c *child) send(s syscall.Signal) {
	if !c.waited {
		_ = syscall.Kill(-c.leader, s) // it may just have ended
	}
	for _, p := range children() {
		if s == syscall.SIGKILL || p.group != c.leader { // the others of the group have it already
			_ = syscall.Kill(p.pid, s) // if it may not be killed, giveUp says so
		}
	}
}

// giveUp ends the supervisor although children are left.
func (c *child) giveUp() {
	c.mu.Lock() // for ever
	for _, p := range children() {
		c.write(Stuck + " " + itoa(p.pid) + " " + p.name + "\n")
	}
	c.sayEnd()
	os.Exit(0)
}

func (c *child) say(what string, n int) { c.write(what + " " + itoa(n) + "\n") }

func (c *child) write(line string) { _, _ = c.report.WriteString(line) } // if nobody reads it, nobody is there

func (c *child) sayEnd() {
	if c.status.Signaled() {
		c.say(Signaled, int(c.status.Signal()))
		return
	}
	c.say(Exited, c.status.ExitStatus())
}

// relative is a child of this process.
type relative struct {
	pid, group int
	name       string
}

// children are those of this process that have not ended.
func children() []relative {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	self := os.Getpid()
	var all []relative
	for _, name := range names {
		pid, ok := atoi(name)
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

// parseStat reads "<pid> (<name>) <state> <parent> <group> ...", unless the
// process has ended. The name may itself hold anything.
func parseStat(stat []byte) (r relative, parent int, ok bool) {
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
	parent, rest = number(rest[1:])
	r.group, _ = number(rest)
	return r, parent, true
}

// number is the number after a space, and what follows it.
func number(text string) (n int, rest string) {
	i := 1
	for i < len(text) && text[i] != ' ' {
		i++
	}
	if i > len(text) {
		return 0, ""
	}
	n, _ = atoi(text[1:i])
	return n, text[i:]
}

func atoi(text string) (n int, ok bool) {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int(text[i]-'0')
	}
	return n, text != ""
}

func itoa(n int) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
