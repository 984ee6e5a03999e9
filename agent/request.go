package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Acknowledgements of a delivery.
var (
	ack = []byte("+ACK")
	nak = []byte("-NAK")
)

// delivery is a request as it came.
type delivery struct {
	request   subjects.Request
	execution json.RawMessage // of the request, as it was written: a newer bus may say more than we know
}

// rawExecution keeps the text beside what is read of it.
type rawExecution struct {
	subjects.Execution
	raw json.RawMessage
}

// UnmarshalJSON reads b and keeps it.
func (e *rawExecution) UnmarshalJSON(b []byte) error {
	e.raw = b // part of the message, which nobody changes
	return json.Unmarshal(b, &e.Execution)
}

// readRequest takes a delivery apart and compares it with its subject: a
// request that speaks of another application must not get this agent to publish
// there.
func readRequest(m *nats.Msg) (*delivery, error) {
	var r struct {
		Execution rawExecution `json:"execution"` // hides the field of the same name
		subjects.Request
	}
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return nil, err
	}
	d := &delivery{request: r.Request, execution: r.Execution.raw}
	d.request.Execution = r.Execution.Execution
	e := &d.request.Execution
	t := strings.Split(m.Subject, ".")
	if len(t) != 6 || t[2] != e.App || t[5] != strconv.FormatInt(e.ID, 10) {
		return nil, fmt.Errorf("it is about %s/%s %d", e.App, e.Job, e.ID)
	}
	if e.ID < 1 || d.request.Attempt < 1 || !subjects.ValidName(e.Job) {
		return nil, errors.New("want a job, an execution_id and an attempt")
	}
	return d, nil
}

// pending is how many more requests wait behind a delivery, by the last token
// but the domain's of
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<time>.<pending>
//	$JS.ACK.<domain>.<account>. and the same from <stream> on, with one more token at the end
func pending(reply string) int {
	at := 8
	if strings.Count(reply, ".") >= 10 {
		at = 10
	}
	for ; at > 0; at-- {
		i := strings.IndexByte(reply, '.')
		if i < 0 {
			return 0
		}
		reply = reply[i+1:]
	}
	if i := strings.IndexByte(reply, '.'); i >= 0 {
		reply = reply[:i]
	}
	n, _ := strconv.Atoi(reply)
	return n
}
