package native

import (
	"errors"
	"io"
	"os"
	"time"
)

// When a process has ended, output reads the rest of its pipes within these
// limits. A process that is kept in the background may write to them for ever.
const (
	drainTime  = 100 * time.Millisecond // to wait for more data
	drainBytes = 1 << 20                // the maximum size of a pipe (pipe(7))
	closeTime  = 2 * time.Second        // on systems where a pipe has no read deadline
)

// output copies what a process writes to its pipes. If the destination blocks,
// the pipe fills up and the process blocks.
type output struct{ pipes []*pipe }

type pipe struct {
	readEnd, writeEnd *os.File
	to                io.Writer
	done              chan struct{}
}

// openOutput creates the pipes of a process and starts reading them.
func openOutput(j *stepProcess) (*output, error) {
	o := &output{}
	for _, one := range []struct {
		file *io.Writer
		to   io.Writer
	}{{&j.cmd.Stdout, j.stdout}, {&j.cmd.Stderr, j.stderr}} {
		readEnd, writeEnd, err := os.Pipe()
		if err != nil {
			o.closeWriteEnds()
			o.finishReading()
			return nil, err
		}
		_ = j.place.give(writeEnd) // so that the process can open /dev/stdout
		*one.file = writeEnd
		p := &pipe{readEnd, writeEnd, one.to, make(chan struct{})}
		o.pipes = append(o.pipes, p)
		go p.copyUntilEnd()
	}
	return o, nil
}

// closeWriteEnds closes the ends that the process uses.
func (o *output) closeWriteEnds() {
	for _, p := range o.pipes {
		_ = p.writeEnd.Close()
	}
}

// finishReading blocks until the output of an ended process is copied.
func (o *output) finishReading() {
	for _, p := range o.pipes {
		if p.readEnd.SetReadDeadline(time.Now()) == nil { // wakes copyUntilEnd, which drains the pipe
			<-p.done
		} else {
			select {
			case <-p.done:
			case <-time.After(closeTime):
			}
		}
		_ = p.readEnd.Close()
	}
}

// copyUntilEnd copies until no process has the write end, or until the pipe is
// empty after the end of the process.
func (p *pipe) copyUntilEnd() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	ended, drained := false, 0
	for {
		n, err := p.readEnd.Read(buf)
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
			_ = p.readEnd.SetReadDeadline(time.Now().Add(drainTime))
		}
	}
}
