package agent

import (
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	parkFor      = 30 * time.Second // how long a pull waits for a request
	parkBeat     = 5 * time.Second  // how often the broker says that it still waits
	hotTimeout   = 5 * time.Second  // for the answer to a pull that does not wait
	retryAfter   = time.Second      // when there is no consumer yet
	agingEvery   = 8                // each 8th ask goes to the lowest lane that has requests
	parkFraction = 8                // a parked pull asks for an 8th of the free slots
)

// lane is one consumer: an application's requests of one pool and priority. At
// most one pull is open in it.
type lane struct {
	app, pool, priority string
	index               int    // in the puller's list
	rank                int    // 0 is asked first
	subject             string // where to ask

	hot    bool      // more requests are known, or presumed, to wait
	asked  int       // requests that the open pull may still bring; 0: no pull is open
	parked bool      // the open pull waits for requests
	pull   int       // number of the last pull, in its reply subject
	turn   int       // when it was asked last, to take lanes in turn
	next   time.Time // of an open pull: when it counts as lost; of none: when to ask again
}

func newLanes(apps, pools []string) []*lane {
	var lanes []*lane
	for rank, priority := range subjects.Priorities() {
		for _, app := range apps {
			for _, pool := range pools {
				lanes = append(lanes, &lane{
					index: len(lanes), app: app, pool: pool, priority: priority, rank: rank,
					hot:     true, // until the first answer, so that what waits is taken by priority
					subject: "$JS.API.CONSUMER.MSG.NEXT." + subjects.RequestStream(app) + "." + subjects.RequestConsumer(pool, priority),
				})
			}
		}
	}
	return lanes
}

// key is what the subjects of a lane's requests begin with.
func (l *lane) key() string {
	return "jobstreamer.request." + l.app + "." + l.pool + "." + l.priority
}

// open notes a pull for n requests and returns its payload.
func (l *lane) open(n int, park bool, now time.Time) []byte {
	l.pull++
	l.asked, l.parked = n, park
	if park {
		l.next = now.Add(3 * parkBeat)
		return fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d}`, n, parkFor, parkBeat)
	}
	l.next = now.Add(hotTimeout)
	return fmt.Appendf(nil, `{"batch":%d,"no_wait":true}`, n)
}

// close notes that the open pull brings nothing more; the lane is asked again
// after wait.
func (l *lane) close(now time.Time, wait time.Duration) {
	l.asked, l.parked = 0, false
	l.next = now.Add(wait)
}
