package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// change is the state of a step that is not known to be stored.
type change struct {
	subjects.StepExecution     // without partitions
	version                int // grows with each change of the step
	partitions             []partitionChange
}

// partitionChange is the state of a partition that is not known to be stored.
type partitionChange struct {
	subjects.Partition
	version int
}

// dataKey names the data of a step, or of one of its partitions.
type dataKey struct {
	step      int64
	partition int // -1: of the step
}

func keyOfStep(id int64) dataKey { return dataKey{id, -1} }

// checkStep returns an error if the data of a step, or of one of its partitions,
// cannot be stored.
func (r *Reporter) checkStep(s *subjects.StepExecution) error {
	if err := r.checkData(&s.StepData); err != nil {
		return fmt.Errorf("step %s: %w", s.Step, err)
	}
	if s.PartitionCount > subjects.MaxPartitions {
		return fmt.Errorf("step %s: %d partitions: want at most %d", s.Step, s.PartitionCount, subjects.MaxPartitions)
	}
	for i := range s.Partitions {
		if err := r.checkPartition(s, &s.Partitions[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reporter) checkPartition(s *subjects.StepExecution, p *subjects.Partition) error {
	if p.Number < 0 || p.Number >= s.PartitionCount {
		return fmt.Errorf("step %s: partition %d: want one of %d, from 0", s.Step, p.Number, s.PartitionCount)
	}
	if err := r.checkData(&p.StepData); err != nil {
		return fmt.Errorf("step %s, partition %d: %w", s.Step, p.Number, err)
	}
	return nil
}

// checkData returns an error if the data cannot be stored, or holds a secret.
func (r *Reporter) checkData(d *subjects.StepData) error {
	if err := checkData(d, r.pub.room()); err != nil {
		return err
	}
	return checkSecrets(d, r.secrets)
}

func checkSecrets(d *subjects.StepData, secrets *Secrets) error {
	for _, one := range []struct {
		name string
		data json.RawMessage
	}{
		{"persistent data", d.PersistentData},
		{"reader checkpoint", d.ReaderCheckpoint},
		{"writer checkpoint", d.WriterCheckpoint},
	} {
		if err := secrets.CheckData(one.data); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	return nil
}

// checkData returns an error if the data is no JSON, or larger than the contract
// or the broker allows. room is what the broker allows in one result.
func checkData(d *subjects.StepData, room int) error {
	for _, one := range []struct {
		name string
		data json.RawMessage
		most int
	}{
		{"persistent data", d.PersistentData, subjects.MaxPersistentData},
		{"reader checkpoint", d.ReaderCheckpoint, subjects.MaxCheckpoint},
		{"writer checkpoint", d.WriterCheckpoint, subjects.MaxCheckpoint},
	} {
		if n := len(one.data); n > one.most {
			return fmt.Errorf("%s of %d bytes: want at most %d", one.name, n, one.most)
		}
		if len(one.data) > 0 && !json.Valid(one.data) {
			return fmt.Errorf("%s: want JSON", one.name)
		}
	}
	if n := sizeOfData(d); n > room {
		return fmt.Errorf("persistent data and checkpoints of %d bytes together: the NATS server accepts at most %d (its max_payload, less %d)", n, room, resultRoom)
	}
	return nil
}

func sizeOfData(d *subjects.StepData) int {
	return len(d.PersistentData) + len(d.ReaderCheckpoint) + len(d.WriterCheckpoint)
}

// addChange keeps the newest state of a step, and reports whether the end of
// any step is not stored yet.
func (r *Reporter) addChange(s subjects.StepExecution) (ended bool) {
	s.Exception, s.ExitStatus = r.printable(s.Exception), r.printable(s.ExitStatus)
	s.Values = r.secrets.RedactValues(s.Values)
	partitions := s.Partitions
	s.Partitions = nil
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.BatchStatus == subjects.Completed { // the bus drops them
		s.ReaderCheckpoint, s.WriterCheckpoint = nil, nil
	}
	if s.BatchStatus.Ended() {
		delete(r.live, s.ID)
	} else {
		r.live[s.ID] = s
	}
	c := r.changeOf(s)
	for _, p := range partitions {
		r.addPartitionTo(c, p)
	}
	return slices.ContainsFunc(r.pending, func(c change) bool { return c.BatchStatus.Ended() })
}

// addPartition keeps the newest state of a partition of a step that runs.
func (r *Reporter) addPartition(stepID int64, p subjects.Partition) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.live[stepID]
	if !ok {
		return fmt.Errorf("partition %d: want a step execution that runs, got %d", p.Number, stepID)
	}
	if err := r.checkPartition(&s, &p); err != nil {
		return err
	}
	r.addPartitionTo(r.changeOf(s), p)
	return nil
}

// changeOf returns the pending change of a step, which is now s. r.mu is held.
func (r *Reporter) changeOf(s subjects.StepExecution) *change {
	i := slices.IndexFunc(r.pending, func(c change) bool { return c.ID == s.ID })
	if i < 0 {
		r.pending = append(r.pending, change{StepExecution: s})
		return &r.pending[len(r.pending)-1]
	}
	c := &r.pending[i]
	c.StepExecution, c.version = s, c.version+1
	return c
}

func (r *Reporter) addPartitionTo(c *change, p subjects.Partition) {
	p.Exception, p.ExitStatus = r.printable(p.Exception), r.printable(p.ExitStatus)
	i := slices.IndexFunc(c.partitions, func(o partitionChange) bool { return o.Number == p.Number })
	if i < 0 {
		c.partitions = append(c.partitions, partitionChange{Partition: p})
		return
	}
	c.partitions[i] = partitionChange{p, c.partitions[i].version + 1}
}

// removeData leaves only statuses and times.
func (c *change) removeData() {
	c.StepData = subjects.StepData{}
	for i := range c.partitions {
		c.partitions[i].StepData = subjects.StepData{}
	}
}

// pendingChanges returns the changes that are not known to be stored.
func (r *Reporter) pendingChanges() []change {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.pending)
	for i := range all {
		all[i].partitions = slices.Clone(all[i].partitions)
	}
	return all
}

// takeFitting returns the first of all changes, as many as fit into one result,
// and the rest. A step comes before its partitions, and again with those that
// did not fit.
func (r *Reporter) takeFitting(all []change) (taken, rest []change) {
	room := r.pub.room()
	size := 0
	for i := range all {
		c := &all[i]
		s := r.stepOf(&change{StepExecution: c.StepExecution})
		size += sizeOfStep(&s)
		if i > 0 && size > room {
			return taken, append([]change(nil), all[i:]...)
		}
		part := *c
		part.partitions = nil
		for j, p := range c.partitions {
			size += sizeOfPartition(&p.Partition)
			if size > room && (i+j > 0 || sizeOfData(&s.StepData) > 0) {
				left := *c
				left.partitions = c.partitions[j:]
				return append(taken, part), append([]change{left}, all[i+1:]...)
			}
			part.partitions = append(part.partitions, p)
		}
		taken = append(taken, part)
	}
	return taken, nil
}

// sizeOfStep returns a bound of the bytes that a step takes in a result, without
// its partitions.
func sizeOfStep(s *subjects.StepExecution) int {
	size := sizeOfData(&s.StepData) + 6*(len(s.Exception)+len(s.ExitStatus)+len(s.Step)) + 1000
	for name, value := range s.Values {
		size += len(name) + 6*len(value) + 10
	}
	return size
}

func sizeOfPartition(p *subjects.Partition) int {
	return sizeOfData(&p.StepData) + 6*(len(p.Exception)+len(p.ExitStatus)) + 800
}

// stepOf returns a change as a result says it: without the data that earlier
// results have said. The persistent data of a step without partitions is always
// there, since older buses expect it.
func (r *Reporter) stepOf(c *change) subjects.StepExecution {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := c.StepExecution
	known := r.stored[keyOfStep(s.ID)]
	if s.PartitionCount == 0 {
		known.PersistentData = nil
	}
	s.StepData = newData(s.StepData, known)
	for _, p := range c.partitions {
		p.StepData = newData(p.StepData, r.stored[dataKey{s.ID, p.Number}])
		s.Partitions = append(s.Partitions, p.Partition)
	}
	return s
}

// newData returns what of d differs from what is known.
func newData(d, known subjects.StepData) subjects.StepData {
	for _, f := range []struct{ is, was *json.RawMessage }{
		{&d.PersistentData, &known.PersistentData},
		{&d.ReaderCheckpoint, &known.ReaderCheckpoint},
		{&d.WriterCheckpoint, &known.WriterCheckpoint},
	} {
		if len(*f.was) > 0 && bytes.Equal(*f.is, *f.was) {
			*f.is = nil
		}
	}
	return d
}

// keepKnown adds to the data that results have said.
func (r *Reporter) keepKnown(key dataKey, d subjects.StepData) {
	known := r.stored[key]
	for _, f := range []struct{ is, was *json.RawMessage }{
		{&d.PersistentData, &known.PersistentData},
		{&d.ReaderCheckpoint, &known.ReaderCheckpoint},
		{&d.WriterCheckpoint, &known.WriterCheckpoint},
	} {
		if len(*f.is) > 0 {
			*f.was = *f.is
		}
	}
	if sizeOfData(&known) > 0 {
		r.stored[key] = known
	}
}

// removeStored removes changes that were stored, except for what has changed
// since.
func (r *Reporter) removeStored(stored []change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range stored {
		s := &stored[i]
		r.keepKnown(keyOfStep(s.ID), s.StepData)
		for _, p := range s.partitions {
			r.keepKnown(dataKey{s.ID, p.Number}, p.StepData)
		}
		at := slices.IndexFunc(r.pending, func(c change) bool { return c.ID == s.ID })
		if at < 0 {
			continue
		}
		c := &r.pending[at]
		c.partitions = slices.DeleteFunc(c.partitions, func(p partitionChange) bool {
			return slices.ContainsFunc(s.partitions, func(o partitionChange) bool { return o.Number == p.Number && o.version == p.version })
		})
		if len(c.partitions) == 0 && c.version == s.version {
			r.pending = slices.Delete(r.pending, at, at+1)
			r.forgetEnded(s)
		}
	}
}

// forgetEnded forgets the data of a step that has ended. r.mu is held.
func (r *Reporter) forgetEnded(s *change) {
	if !s.BatchStatus.Ended() {
		return
	}
	delete(r.stored, keyOfStep(s.ID))
	for n := range s.PartitionCount {
		delete(r.stored, dataKey{s.ID, n})
	}
}

// dropData removes the data of changes that the broker does not accept, so that
// the attempt can still end. Calls that wait for these changes return err.
func (r *Reporter) dropData(sent []change, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range sent {
		s := &sent[i]
		r.lost[s.ID] = fmt.Errorf("step %s: %w", s.Step, err)
		for j := range r.pending {
			if r.pending[j].ID == s.ID {
				r.pending[j].removeData()
			}
		}
	}
}

// removeData leaves only statuses and times, and reports whether there was more.
func removeData(steps []subjects.StepExecution) (had bool) {
	for i := range steps {
		s := &steps[i]
		had = had || sizeOfData(&s.StepData) > 0
		s.StepData = subjects.StepData{}
		for j := range s.Partitions {
			had = had || sizeOfData(&s.Partitions[j].StepData) > 0
			s.Partitions[j].StepData = subjects.StepData{}
		}
	}
	return had
}

// encodeResult encodes a result. It does not escape < and >, which would make
// six bytes of each in a checkpoint.
func encodeResult(res *subjects.Result) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(res); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// errTooLarge means that the broker does not accept a message of this size.
var errTooLarge = errors.New("the NATS server does not accept a result of this size: raise its max_payload, or store less in the step")
