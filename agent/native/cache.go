package native

import (
	"bytes"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// maxCached is the maximum number of cached definitions. A full cache is
// emptied.
const maxCached = 256

// jobCache caches parsed definitions, so that a job that runs every second is
// parsed once. The jobs it returns are shared and must not be changed.
type jobCache struct {
	mu   sync.Mutex
	jobs map[string]*jsl.Job
}

// resolveJob returns the job of a definition with its parameters substituted.
func (c *jobCache) resolveJob(definition []byte, params, system map[string]string) (*jsl.Job, error) {
	c.mu.Lock()
	job := c.jobs[string(definition)]
	c.mu.Unlock()
	// A definition without #{, also in its escaped form, needs no substitution.
	open := bytes.Contains(definition, []byte("#{")) || bytes.Contains(definition, []byte(`\u00`))
	if job == nil {
		var err error
		if job, err = jsl.Restore(definition); err != nil { // Resolve validates it
			return nil, err
		}
		if err := job.CheckSecrets(); err != nil {
			return nil, err
		}
		if !open {
			if job, err = job.Resolve(nil, nil); err != nil {
				return nil, err
			}
		}
		c.addJob(string(definition), job)
	}
	if open {
		return job.Resolve(params, system)
	}
	return job, nil
}

func (c *jobCache) addJob(definition string, job *jsl.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs == nil || len(c.jobs) >= maxCached {
		c.jobs = map[string]*jsl.Job{}
	}
	c.jobs[definition] = job
}
