package subjects_test

import (
	"errors"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestParseAck(t *testing.T) {
	for _, c := range []struct {
		answer string
		seq    uint64
		code   int  // of an AckError
		bad    bool // neither
	}{
		{`{"stream":"S","seq":12}`, 12, 0, false},
		{`{"stream":"S", "seq": 18446744073709551615,"duplicate":true}`, 1<<64 - 1, 0, false},
		{`{"stream":"error","seq":3}`, 3, 0, false},
		{`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"S","seq":0}`, 0, 10071, false},
		{`{"error":{"code":503,"err_code":10077,"description":"\"seq\":9"}}`, 0, 10077, false},
		{`{"stream":"S","seq":0}`, 0, 0, true},
		{`{"stream":"S","seq":-1}`, 0, 0, true},
		{`{"stream":"S"}`, 0, 0, true},
		{`{}`, 0, 0, true},
		{``, 0, 0, true},
		{`+OK`, 0, 0, true},
	} {
		seq, err := subjects.ParseAck([]byte(c.answer))
		var refused *subjects.AckError
		isRefused := errors.As(err, &refused)
		switch {
		case seq != c.seq, isRefused != (c.code != 0), isRefused && refused.ErrCode != c.code, (err != nil) != (c.bad || c.code != 0):
			t.Errorf("%s: %d, %v, want %d and the code %d", c.answer, seq, err, c.seq, c.code)
		}
	}
}
