package jetio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ErrUndecided means that the broker has decided nothing: the cluster is
// storing another message of the filter, and may yet drop it.
var ErrUndecided = fmt.Errorf("%w: the broker is storing another message", ErrUnknown)

// parseAck reads {"stream":"S","seq":12} or {"error":{...},"stream":"S"}.
func parseAck(m *nats.Msg) (uint64, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, fmt.Errorf("%w: no stream has this subject", ErrAway)
	}
	var a struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Code        int    `json:"code"`
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if s := string(m.Data); !strings.Contains(s, `"error"`) { // the common case, without reflection
		if i := strings.Index(s, `"seq":`); i >= 0 {
			rest := strings.TrimLeft(s[i+6:], " ")
			n := 0
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			if seq, err := strconv.ParseUint(rest[:n], 10, 64); err == nil {
				return seq, nil
			}
		}
	}
	if err := json.Unmarshal(m.Data, &a); err != nil || a.Error == nil {
		return 0, fmt.Errorf("unexpected acknowledgement %.100q: %w", m.Data, ErrUnknown)
	}
	switch a.Error.ErrCode {
	case subjects.WrongLastSequence:
		return 0, fmt.Errorf("%w: %s", ErrChanged, a.Error.Description)
	case subjects.AnotherInFlight:
		return 0, ErrUndecided
	}
	err := errors.New(a.Error.Description)
	if isNoRoom(a.Error.ErrCode, a.Error.Description) {
		return 0, fmt.Errorf("%w: %w", ErrFull, err)
	}
	if a.Error.Code == 503 {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return 0, err
}
