package agenttest

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Secrets answers agents that ask for secrets of [App], as a control bus does.
type Secrets struct {
	mu       sync.Mutex
	values   map[string]string
	fault    *subjects.SecretError // the answer to the next faults requests
	faults   int
	requests []subjects.SecretRequest
}

// Secrets starts to answer with some values, by name.
func (r *Room) Secrets(values map[string]string) *Secrets {
	r.t.Helper()
	s := &Secrets{values: values}
	sub, err := r.Conn.Subscribe(subjects.AllSecretRequests, func(m *nats.Msg) {
		data, err := json.Marshal(s.answer(m.Data))
		if err == nil {
			err = m.Respond(data)
		}
		if err != nil {
			r.t.Errorf("answer a request for secrets: %v", err)
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = sub.Unsubscribe() })
	if err := r.Conn.FlushWithContext(r.timeoutContext(5 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// FailNext answers the next n requests with an error.
func (s *Secrets) FailNext(n int, why subjects.SecretError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.faults = &why, n
}

// Requests returns the requests so far.
func (s *Secrets) Requests() []subjects.SecretRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Secrets) answer(data []byte) subjects.SecretReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r subjects.SecretRequest
	if err := json.Unmarshal(data, &r); err != nil {
		return subjects.SecretReply{Error: &subjects.SecretError{Code: subjects.SecretsInvalid, Message: err.Error()}}
	}
	s.requests = append(s.requests, r)
	if s.faults > 0 {
		s.faults--
		return subjects.SecretReply{Error: s.fault}
	}
	values, unknown := map[string]string{}, []string{}
	for _, name := range r.Names {
		if value, ok := s.values[name]; ok {
			values[name] = value
		} else {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return subjects.SecretReply{Error: &subjects.SecretError{Code: subjects.SecretsUnknown, Message: "unknown", Names: unknown}}
	}
	sealed, err := subjects.SealSecrets(&r, values)
	if err != nil {
		return subjects.SecretReply{Error: &subjects.SecretError{Code: subjects.SecretsInvalid, Message: err.Error()}}
	}
	return subjects.SecretReply{Sealed: sealed}
}
