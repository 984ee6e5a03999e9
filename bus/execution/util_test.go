package execution

import (
	"errors"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func isState(err error, code string) bool {
	var s *bus.StateError
	return errors.As(err, &s) && s.Code == code
}
