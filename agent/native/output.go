package native

import (
	"errors"
	"io"
	"os"
	"time"
)

// What is in a pipe when its process has ended is read, and no more: something
// that was to be kept in the background may write to it for ever.
const (
	drainTime  = 100 * time.Millisecond // for the next piece to be there
	drainBytes = 1 << 20                // as much as a pipe holds at most (pipe(7))
	closeTime  = 2 * time.Second        // where a read cannot be given a deadline
)

// output copies what a process writes. A writer that waits makes the process
// wait: its pipe is full then.
type output struct{ pipes []*pipe }

type pipe struct {
	ours, theirs *os.File
	to           io.Writer
	done         chan struct{}
}

// openOutput makes the pipes of a job and reads them.
func openOutput(j *job) (*output, error) {
	o := &output{}
	for _, one := range []struct {
		file *io.Writer
		to   io.Writer
	}{{&j.cmd.Stdout, j.stdout}, {&j.cmd.Stderr, j.stderr}} {
		ours, theirs, err := os.Pipe()
		if err != nil {
			o.closeTheirs()
			o.finish()
			return nil, err
		}
		*one.file = theirs
		p := &pipe{ours, theirs, one.to, make(chan struct{})}
		o.pipes = append(o.pipes, p)
		go p.read()
	}
	return o, nil
}

// closeTheirs gives the ends that the process has up.
func (o *output) closeTheirs() {
	for _, p := range o.pipes {
		_ = p.theirs.Close()
	}
}

// finish returns when what the process has written was copied.
func (o *output) finish() {
	for _, p := range o.pipes {
		if p.ours.SetReadDeadline(time.Now()) == nil { // wakes read, which then drains the pipe
			<-p.done
		} else {
			select {
			case <-p.done:
			case <-time.After(closeTime):
			}
		}
		_ = p.ours.Close()
	}
}

// read copies until all who could write are gone, or until the pipe is empty
// after the end of the process.
func (p *pipe) read() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	ended, drained := false, 0
	for {
		n, err := p.ours.Read(buf)
		_, _ = p.to.Write(buf[:n]) // never fails
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !ended:
			ended = true
		case err != nil:
			return
		}
		if ended {
			if drained += n; drained > drainBytes {
				return
			}
			_ = p.ours.SetReadDeadline(time.Now().Add(drainTime))
		}
	}
}
