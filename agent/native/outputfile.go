package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// outputVariable names the file to which a process writes its exit status, its
// persistent data and values for later steps.
const outputVariable = "JOBSTREAMER_OUTPUT"

// createOutputFile creates the empty file of a process. remove removes it.
func createOutputFile(place *workplace) (file string, remove func(), err error) {
	f, err := os.CreateTemp(place.root, "jobstreamer-*.output")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.Remove(f.Name()) }
	if err := errors.Join(place.give(f), f.Close()); err != nil {
		remove()
		return "", nil, err
	}
	return f.Name(), remove, nil
}

// readOutputFile reads what a process that has ended has written. A file that
// the process has removed counts as empty.
func readOutputFile(file string) (subjects.Output, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not block
	if errors.Is(err, fs.ErrNotExist) {
		return subjects.Output{}, nil
	}
	if err != nil {
		return subjects.Output{}, err
	}
	defer f.Close()
	if is, err := f.Stat(); err != nil || !is.Mode().IsRegular() {
		return subjects.Output{}, notRegular(file)
	}
	text, err := io.ReadAll(io.LimitReader(f, subjects.MaxOutput+1))
	if err != nil {
		return subjects.Output{}, err
	}
	if len(text) > subjects.MaxOutput {
		return subjects.Output{}, fmt.Errorf("want at most %d bytes", subjects.MaxOutput)
	}
	return subjects.ParseOutput(string(text))
}

// applyOutput stores in x what the process of a step has written to its file,
// and returns the exit status of the step. exit and failure tell how the process
// ended. A process that failed by itself keeps its error.
func (r *jobRun) applyOutput(s *jsl.Step, x *subjects.StepExecution, file, exit string, failure error) (string, error) {
	out, err := readOutputFile(file)
	if err == nil && out.PersistentData != nil {
		err = r.setPersistentData(x, *out.PersistentData)
	}
	if err == nil && len(out.Values) > 0 && x.PartitionCount > 0 {
		err = errPartitionValues
	}
	if err == nil && len(out.Values) > 0 {
		values := r.work.Secrets.RedactValues(out.Values) // also for the next steps, as a restart has them
		if err = r.handover.add(s.ID, values); err == nil {
			x.Values = values
		}
	}
	switch {
	case err == nil:
		if out.ExitStatus != "" {
			exit = out.ExitStatus
		}
		return exit, failure
	case failure == nil:
		return "FAILED", fmt.Errorf("%s: %w", outputVariable, err)
	}
	r.work.Log.Line(agent.Own, "warn", s.ID, outputVariable+": "+err.Error())
	return exit, failure
}

// errPartitionValues keeps a partition from setting values, because partitions
// end in any order.
var errPartitionValues = errors.New("a partition cannot set values for later steps, its analyzer can")

// setPersistentData stores the text that the next execution of the step gets.
func (r *jobRun) setPersistentData(x *subjects.StepExecution, text string) error {
	if len(text) > subjects.MaxValues {
		return fmt.Errorf("persistent_data: want at most %d bytes, got %d", subjects.MaxValues, len(text))
	}
	data, err := json.Marshal(text)
	if err != nil {
		return err
	}
	if err := r.work.Secrets.CheckData(data); err != nil {
		return fmt.Errorf("persistent_data: %w", err)
	}
	x.PersistentData = data
	return nil
}

// persistentText returns the persistent data of a step as its process gets it:
// the text that an earlier process has written, or the JSON of another runtime.
func persistentText(data json.RawMessage) string {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text
	}
	return string(data)
}
