package httpapi

import (
	"bytes"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// sentJob is a definition, and the schedule that older clients send along when they import what they exported.
type sentJob struct {
	jsl.Job
	schedule *rest.ImportedSchedule
}

// readJob reads a definition in any format.
func (f *format) readJob(data []byte, v *sentJob) error {
	j, err := f.job(data)
	if err != nil {
		return err
	}
	v.Job = *j
	if f.form == jsl.XML || !bytes.Contains(data, []byte("job/schedule")) {
		return nil
	}
	if data, err = jsl.ToJSON(f.form, data); err != nil {
		return err
	}
	var beside struct {
		Schedule *rest.ImportedSchedule `edn:"job/schedule"`
	}
	if err := readLeniently(data, &beside); err != nil {
		return err
	}
	if v.schedule = beside.Schedule; v.schedule == nil {
		return nil
	}
	var wrong faults
	for _, fault := range faultsOfSchedule(&v.schedule.NewSchedule) {
		fault.Pointer = "/job~1schedule" + fault.Pointer
		wrong = append(wrong, fault)
	}
	return wrong.err()
}
