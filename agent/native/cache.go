package native

import (
	"bytes"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// maxCached is how many definitions are kept. One that comes back after that is
// read anew.
const maxCached = 256

// jobCache keeps the definitions that were read last: a job that runs every
// second is read once. What it returns is shared, and changed by nobody.
type jobCache struct {
	mu   sync.Mutex
	jobs map[string]*jsl.Job
}

// get returns the job of a definition, substituted.
func (c *jobCache) get(definition []byte, params, system map[string]string) (*jsl.Job, error) {
	c.mu.Lock()
	job := c.jobs[string(definition)]
	c.mu.Unlock()
	open := bytes.Contains(definition, []byte("#{")) || bytes.Contains(definition, []byte(`\u00`)) // or so written
	if job == nil {
		var err error
		if job, err = jsl.Restore(definition); err != nil { // Resolve judges it
			return nil, err
		}
		if !open {
			if job, err = job.Resolve(nil, nil); err != nil {
				return nil, err
			}
		}
		c.put(string(definition), job)
	}
	if open {
		return job.Resolve(params, system)
	}
	return job, nil
}

func (c *jobCache) put(definition string, job *jsl.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs == nil || len(c.jobs) >= maxCached {
		c.jobs = map[string]*jsl.Job{}
	}
	c.jobs[definition] = job
}
