package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// secretPatience is how long an attempt asks for secrets while no control bus
// gives them: the buses may be starting.
const secretPatience = time.Minute

// SecretSource returns the secrets with some names, or an error. It never
// returns only some of them. The error is a [MissingSecretsError] if some do not
// exist.
type SecretSource func(ctx context.Context, names []string) (map[string]string, error)

// MissingSecretsError says which secrets an application does not have.
type MissingSecretsError struct {
	App   string
	Names []string
}

func (e *MissingSecretsError) Error() string {
	if len(e.Names) == 1 {
		return fmt.Sprintf("the application %s has no secret %s: jobstreamer secret set %s --app %s", e.App, e.Names[0], e.Names[0], e.App)
	}
	return fmt.Sprintf("the application %s has no secrets %s: jobstreamer secret set %s --app %s, and so on", e.App, strings.Join(e.Names, ", "), e.Names[0], e.App)
}

// Secrets are those of the application that an attempt runs for. They are asked
// for when a step needs them, and kept in memory until the attempt ends. What
// the attempt publishes from then on has *** in their place. It is safe for
// concurrent use. A nil *Secrets has none.
type Secrets struct {
	app      string
	source   SecretSource
	turn     chan struct{} // a lock: one request at a time
	mu       sync.Mutex
	values   map[string]string
	hidden   map[string]string        // secrets of the agent, by their names
	redactor atomic.Pointer[redactor] // nil as long as there is nothing to replace
}

// NewSecrets returns the secrets of an application that a source has. Runtimes
// need it, and tests of artifacts.
func NewSecrets(app string, source SecretSource) *Secrets {
	return &Secrets{app: app, source: source, turn: make(chan struct{}, 1), values: map[string]string{}, hidden: map[string]string{}}
}

// Get returns the secrets with the given names. Those that are not known yet
// are asked for together. It blocks for at most a minute, or until ctx ends; the
// error wraps the cause of the end then. An application without some of the
// secrets is a [MissingSecretsError].
func (s *Secrets) Get(ctx context.Context, names ...string) (map[string]string, error) {
	for _, name := range names {
		if !subjects.ValidSecretName(name) {
			return nil, fmt.Errorf("want the name of a secret, up to %d of A-Z, a-z, 0-9 and _ and no digit at the beginning, got %.140q", subjects.MaxSecretName, name)
		}
	}
	if s == nil {
		if len(names) == 0 {
			return nil, nil
		}
		return nil, &MissingSecretsError{Names: names}
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.turn }()
	if unknown := s.unknown(names); len(unknown) > 0 {
		values, err := s.source(ctx, unknown)
		if err != nil {
			return nil, err
		}
		s.add(values)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string]string, len(names))
	for _, name := range names {
		found[name] = s.values[name]
	}
	return found, nil
}

func getSecret(ctx context.Context, s *Secrets, name string) (string, error) {
	values, err := s.Get(ctx, name)
	return values[name], err
}

// unknown returns the names of secrets that were not asked for yet, each once.
func (s *Secrets) unknown(names []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, name := range names {
		if _, known := s.values[name]; !known && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// add keeps secrets. When it returns, they are redacted.
func (s *Secrets) add(values map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.values, values)
	s.redactor.Store(newRedactor(s.values, s.hidden))
}

// Hide makes a secret of the agent one that is redacted, and refused in data for
// a restart, as those of the application are. Get does not return it.
func (s *Secrets) Hide(name, value string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden[name] = value
	s.redactor.Store(newRedactor(s.values, s.hidden))
}

// Redact replaces the secrets that the attempt has obtained by ***, and also
// each line of them. Texts of fewer than 4 characters stay.
func (s *Secrets) Redact(text string) string { return s.redacting().redact(text) }

// RedactValues is Redact for the values of a map. It returns the map itself if
// there is nothing to replace.
func (s *Secrets) RedactValues(values map[string]string) map[string]string {
	if s.redacting() == nil {
		return values
	}
	redacted := make(map[string]string, len(values))
	for name, value := range values {
		redacted[name] = s.Redact(value)
	}
	return redacted
}

// CheckData returns an error if data for a restart holds a secret that the
// attempt has obtained, or a line of one, of at least 8 characters. Such data
// would be stored. It is not redacted, since a restart with other data than the
// step has saved would do wrong things.
func (s *Secrets) CheckData(data json.RawMessage) error {
	if name := s.redacting().find(data); name != "" {
		return fmt.Errorf("it holds the secret %s, and the control bus would store it: want data without secrets", name)
	}
	return nil
}

func (s *Secrets) redacting() *redactor {
	if s == nil {
		return nil
	}
	return s.redactor.Load()
}

// secretAsker asks the control bus for secrets of one attempt.
type secretAsker struct {
	nc      *nats.Conn
	app     string
	subject string
	claim   subjects.SecretRequest // without names and key
	warn    func(line string)      // tells the reader of the output why the attempt waits
}

func (ra *runningAgent) newSecrets(a *attempt, handling string) *Secrets {
	q := &secretAsker{
		nc: ra.nc, app: a.name.App, subject: subjects.SecretSubject(a.name.App, ra.cfg.Name),
		claim: subjects.SecretRequest{ID: a.name.ID, Job: a.name.Job, Attempt: a.name.Attempt, Handling: handling},
		warn:  func(line string) { a.output.Line(Own, "warn", "", line) },
	}
	return NewSecrets(a.name.App, q.ask)
}

// ask is a [SecretSource].
func (q *secretAsker) ask(ctx context.Context, names []string) (map[string]string, error) {
	all := map[string]string{}
	for some := range slices.Chunk(names, subjects.MaxSecretNames) {
		values, err := q.askPatiently(ctx, some)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, values)
	}
	return all, nil
}

// askPatiently repeats a request until a bus answers it for good, for at most
// secretPatience.
func (q *secretAsker) askPatiently(ctx context.Context, names []string) (map[string]string, error) {
	patience, cancel := context.WithTimeout(ctx, secretPatience)
	defer cancel()
	told := false
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		values, err := q.askOnce(patience, names)
		if err == nil {
			return values, nil
		}
		var why *subjects.SecretError
		if errors.As(err, &why) && why.Code != subjects.SecretsNotYet && why.Code != subjects.SecretsUnavailable {
			return nil, q.failure(names, why)
		}
		if !told && pause > time.Second { // else it may be over soon
			told = true
			q.warn(fmt.Sprintf("%s: waiting for at most %v: %v", q.describe(names), secretPatience, err))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			continue
		case <-patience.Done():
			timer.Stop()
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", q.describe(names), context.Cause(ctx))
		}
		return nil, fmt.Errorf("%s: no control bus gave them within %v: %w", q.describe(names), secretPatience, err)
	}
}

func (q *secretAsker) describe(names []string) string {
	return fmt.Sprintf("secrets %s of the application %s", strings.Join(names, ", "), q.app)
}

// failure returns what a final answer means.
func (q *secretAsker) failure(names []string, why *subjects.SecretError) error {
	if why.Code != subjects.SecretsUnknown {
		return fmt.Errorf("%s: the control bus refused them: %w", q.describe(names), why)
	}
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(why.Names, name) })
	if len(missing) == 0 {
		missing = names
	}
	return &MissingSecretsError{q.app, missing}
}

// askOnce sends one request, with a key of its own.
func (q *secretAsker) askOnce(ctx context.Context, names []string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	key, err := subjects.NewSecretKey()
	if err != nil {
		return nil, err
	}
	r := q.claim
	r.Names, r.PublicKey = names, key.Public()
	data, err := json.Marshal(&r)
	if err != nil {
		return nil, err
	}
	m, err := q.nc.RequestWithContext(ctx, q.subject, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, errors.New("no control bus that knows secrets is running")
	case err != nil:
		return nil, fmt.Errorf("no answer: %w", err)
	}
	var reply subjects.SecretReply
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if reply.Error != nil {
		return nil, reply.Error
	}
	return key.Open(&r, reply.Sealed)
}
