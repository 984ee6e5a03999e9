package subjects

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// AckError is an error with which JetStream answers a publish, such as
// [WrongLastSequence].
type AckError struct {
	Code        int    `json:"code"`     // like an HTTP status
	ErrCode     int    `json:"err_code"` // of JetStream
	Description string `json:"description"`
}

func (e *AckError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode) }

// ParseAck returns the sequence in JetStream's answer to a publish:
//
//	{"stream":"S","seq":12}
//	{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"}}
//
// The second one is an [AckError]. Any other error means that the answer says
// nothing about the message.
func ParseAck(data []byte) (seq uint64, err error) {
	if s := string(data); !strings.Contains(s, `"error"`) { // the common case, without reflection
		if _, rest, ok := strings.Cut(s, `"seq":`); ok {
			rest = strings.TrimLeft(rest, " ")
			n := 0
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			if seq, err := strconv.ParseUint(rest[:n], 10, 64); err == nil && seq > 0 {
				return seq, nil
			}
		}
	}
	var ack struct {
		Seq   uint64    `json:"seq"`
		Error *AckError `json:"error"`
	}
	err = json.Unmarshal(data, &ack)
	switch {
	case err == nil && ack.Error != nil:
		return 0, ack.Error
	case err == nil && ack.Seq > 0:
		return ack.Seq, nil
	}
	return 0, fmt.Errorf("acknowledgement %.100q: want a sequence or an error", data)
}
