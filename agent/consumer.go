package agent

import (
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	parkFor       = 30 * time.Second // how long a parked pull waits for requests
	parkHeartbeat = 5 * time.Second  // how often the broker confirms that a pull is parked
	noWaitTimeout = 5 * time.Second  // for the answer to a pull that does not wait
	retryAfter    = time.Second      // pause after an error, such as a missing consumer
	agingEvery    = 8                // each 8th turn goes to the lowest priority that has requests
	parkFraction  = 8                // a parked pull asks for an 8th of the free slots
)

// consumer is the state of one JetStream consumer: an application's requests of
// one pool and priority. It has at most one open pull.
type consumer struct {
	app, pool, priority string
	index               int    // in the puller's list
	rank                int    // of its priority; 0 is pulled first
	subject             string // of pull requests

	hasMore     bool      // more requests are known, or presumed, to wait
	outstanding int       // requests that the open pull may still bring; 0: no pull is open
	parked      bool      // the open pull waits for requests
	pullNumber  int       // of the last pull; part of its reply subject
	lastTurn    int       // the puller's turn of the last pull, for round robin
	due         time.Time // when the open pull counts as lost; without one, when to pull again
}

func newConsumers(apps, pools []string) []*consumer {
	var consumers []*consumer
	for rank, priority := range subjects.Priorities() {
		for _, app := range apps {
			for _, pool := range pools {
				consumers = append(consumers, &consumer{
					index: len(consumers), app: app, pool: pool, priority: priority, rank: rank,
					hasMore: true, // until the first answer, so that waiting requests are fetched by priority
					subject: "$JS.API.CONSUMER.MSG.NEXT." + subjects.RequestStream(app) + "." + subjects.RequestConsumer(pool, priority),
				})
			}
		}
	}
	return consumers
}

// subjectPrefix returns the subject of the consumer's requests, without the
// execution id at its end.
func (c *consumer) subjectPrefix() string {
	return "jobstreamer.request." + c.app + "." + c.pool + "." + c.priority
}

// openPull registers a pull for n requests and returns its payload.
func (c *consumer) openPull(n int, park bool, now time.Time) []byte {
	c.pullNumber++
	c.outstanding, c.parked = n, park
	if park {
		c.due = now.Add(3 * parkHeartbeat)
		return fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, n, parkFor, parkHeartbeat)
	}
	c.due = now.Add(noWaitTimeout)
	return fmt.Appendf(nil, `{"batch":%d,"no_wait":true}`, n)
}

// closePull registers that the open pull brings nothing more. The puller pulls
// again after wait.
func (c *consumer) closePull(now time.Time, wait time.Duration) {
	c.outstanding, c.parked = 0, false
	c.due = now.Add(wait)
}
