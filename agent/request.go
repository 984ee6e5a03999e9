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

// Payloads that acknowledge a delivery.
var (
	ack = []byte("+ACK")
	nak = []byte("-NAK")
)

// delivery is a request as it was delivered.
type delivery struct {
	request subjects.Request
	// execution is the request's execution, byte for byte: a newer bus may send
	// fields that this agent does not know.
	execution json.RawMessage
}

// rawExecution decodes an execution and keeps its JSON.
type rawExecution struct {
	subjects.Execution
	raw json.RawMessage
}

// UnmarshalJSON decodes b and keeps it.
func (e *rawExecution) UnmarshalJSON(b []byte) error {
	e.raw = b // part of the message, which is never changed
	return json.Unmarshal(b, &e.Execution)
}

// readRequest decodes a delivery and compares it with its subject. A request
// whose body names another application must not make this agent publish results
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
	parts := strings.Split(m.Subject, ".")
	if len(parts) != 6 || parts[2] != e.App || parts[5] != strconv.FormatInt(e.ID, 10) {
		return nil, fmt.Errorf("the subject does not belong to the execution %s/%s %d", e.App, e.Job, e.ID)
	}
	if e.ID < 1 || d.request.Attempt < 1 || !subjects.ValidName(e.Job) {
		return nil, errors.New("want a valid job name, execution_id and attempt")
	}
	return d, nil
}

// pendingCount returns how many more requests wait in the consumer after this
// delivery. That is the last part, except the one after it with a domain, of a
// reply subject of one of these forms:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<time>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.<...the same...>.<pending>.<random>
func pendingCount(reply string) int {
	skip := 8
	if strings.Count(reply, ".") >= 10 {
		skip = 10
	}
	for ; skip > 0; skip-- {
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
