package secrets

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// MaxPerApp is the number of secrets that an application can have.
const MaxPerApp = 1000

// Executions is the part of the life cycle of executions that decides who gets
// secrets. See [execution.Service].
type Executions interface {
	// At returns the execution as of a result, nil if the result does not count.
	At(ctx context.Context, r *bus.StoredResult) (e *bus.Execution, changed bool, err error)
	// Get returns the record.
	Get(ctx context.Context, app, job string, id int64) (*bus.Execution, error)
}

// Config configures [Secrets].
type Config struct {
	Bus        *bus.Bus
	Keys       *Keys // nil: this bus has none, and neither stores nor reads a secret
	Executions Executions
}

// Secrets are the secrets of all applications.
type Secrets struct {
	b    *bus.Bus
	keys *Keys
	life Executions
}

// New returns the secrets of a bus. Agents get no answer until [Secrets.Run]
// runs.
func New(cfg Config) *Secrets { return &Secrets{b: cfg.Bus, keys: cfg.Keys, life: cfg.Executions} }

// Info is a secret without its value.
type Info struct {
	Name string
	bus.Secret
}

// IsUsed reports whether a bus has ever stored a secret on b.
func IsUsed(ctx context.Context, b *bus.Bus) (bool, error) {
	_, err := b.Secrets.Get(ctx, bus.SecretKeyMark)
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// List returns the secrets of an application, by name.
func (s *Secrets) List(ctx context.Context, app string) ([]Info, error) {
	entries, err := s.b.Secrets.List(ctx, bus.SecretKey(app, "*"))
	if err != nil {
		return nil, err
	}
	all := []Info{}
	for _, e := range entries {
		e.Value.Sealed = nil
		all = append(all, Info{strings.TrimPrefix(e.Key, app+"."), e.Value})
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Set stores a secret of an application. by is the id of the user. The error is
// a [bus.FieldError] that does not quote the value, or a [bus.StateError]
// no_such_app, too_many_secrets, no_secret_key or other_secret_key.
func (s *Secrets) Set(ctx context.Context, app, name, value, by string) (is Info, created bool, err error) {
	if err := subjects.CheckSecret(value); err != nil {
		return is, false, &bus.FieldError{Path: "/value", Want: strings.TrimPrefix(err.Error(), "want ")}
	}
	if err := cmp.Or(s.checkApp(ctx, app), s.checkNumber(ctx, app, name), s.markKey(ctx)); err != nil {
		return is, false, err
	}
	now := subjects.Now()
	e, err := s.b.Secrets.Change(ctx, bus.SecretKey(app, name), func(was *bus.Secret) (*bus.Secret, error) {
		v := bus.Secret{KeyID: s.keys.ID(), Sealed: s.keys.encrypt(app, name, value), SetBy: by, CreateTime: now, UpdateTime: now}
		if created = was == nil; !created {
			v.CreateTime = was.CreateTime
		}
		return &v, nil
	})
	if err != nil {
		return is, false, err
	}
	// A deletion of the application may have been faster. A later application of
	// the same name must not have the secret.
	if err := s.checkApp(ctx, app); err != nil {
		if bus.HasCode(err, bus.CodeNoSuchApp) {
			err = cmp.Or(s.b.Secrets.Delete(ctx, e.Key, e.Revision), err)
		}
		return is, false, err
	}
	e.Value.Sealed = nil
	return Info{name, e.Value}, created, nil
}

// Delete deletes a secret. The error is a [bus.StateError] no_such_secret if
// there is none.
func (s *Secrets) Delete(ctx context.Context, app, name string) error {
	for {
		e, err := s.b.Secrets.Get(ctx, bus.SecretKey(app, name))
		if err == nil {
			err = s.b.Secrets.Delete(ctx, e.Key, e.Revision)
		}
		switch {
		case errors.Is(err, bus.ErrChanged):
			continue
		case errors.Is(err, bus.ErrNotFound):
			return bus.State(bus.CodeNoSuchSecret, "the application %s has no secret %s", app, name)
		}
		return err
	}
}

// checkApp returns an error unless the application exists.
func (s *Secrets) checkApp(ctx context.Context, app string) error {
	_, err := s.b.Apps.Get(ctx, app)
	if errors.Is(err, bus.ErrNotFound) {
		return bus.NoSuchApp(app)
	}
	return err
}

// checkNumber returns an error if the application can have no further secret.
func (s *Secrets) checkNumber(ctx context.Context, app, name string) error {
	keys, err := s.b.Secrets.Keys(ctx, bus.SecretKey(app, "*"))
	if err == nil && len(keys) >= MaxPerApp && !slices.Contains(keys, bus.SecretKey(app, name)) {
		return bus.State(bus.CodeTooManySecrets, "the application %s has %d secrets, the maximum: delete some", app, len(keys))
	}
	return err
}

// markKey makes the first key of the file the one that buses encrypt with. It
// refuses if they encrypt with a key that the file lacks.
func (s *Secrets) markKey(ctx context.Context) error {
	if s.keys == nil {
		return errNoKeys
	}
	_, err := s.b.Secrets.Change(ctx, bus.SecretKeyMark, func(was *bus.Secret) (*bus.Secret, error) {
		switch {
		case was == nil:
		case was.KeyID == s.keys.ID():
			return nil, nil
		case s.keys.find(was.KeyID) == nil:
			return nil, s.keys.lacks(was.KeyID)
		}
		return &bus.Secret{KeyID: s.keys.ID()}, nil
	})
	return err
}

// errNoKeys is the error of a bus without keys.
var errNoKeys = bus.State(bus.CodeNoSecretKey, "this control bus has no key for secrets: restore secret.keys in its data directory from a backup, "+
	"or with an external NATS start it with --secrets-key-file FILE, the same file for all control buses")

// open decrypts the secrets of an application with these names. missing are the
// names that it does not have.
func (s *Secrets) open(ctx context.Context, app string, names []string) (values map[string]string, missing []string, err error) {
	values = map[string]string{}
	var failed error // the first that cannot be decrypted
	for _, name := range names {
		e, err := s.b.Secrets.Get(ctx, bus.SecretKey(app, name))
		switch {
		case errors.Is(err, bus.ErrNotFound):
			missing = append(missing, name)
			continue
		case err != nil:
			return nil, nil, err
		}
		if values[name], err = s.keys.decrypt(app, name, &e.Value); err != nil {
			failed = cmp.Or(failed, err)
		}
	}
	return values, missing, failed
}

// encryptAgain encrypts with the first key what is encrypted with another key of
// the file.
func (s *Secrets) encryptAgain(ctx context.Context) (changed int, err error) {
	// Also if there is no secret now: the operator removes the old key next.
	if err := s.markKey(ctx); err != nil {
		return 0, err
	}
	entries, err := s.b.Secrets.List(ctx, "*.*")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		app, name, _ := strings.Cut(e.Key, ".")
		if e.Value.KeyID == s.keys.ID() || s.keys.find(e.Value.KeyID) == nil {
			continue
		}
		value, err := s.keys.decrypt(app, name, &e.Value)
		if err != nil { // it was changed in the bucket: others must not suffer from it
			s.b.Log.Error("secret not encrypted with the present key", "app", app, "secret", name, "err", err)
			continue
		}
		e.Value.KeyID, e.Value.Sealed = s.keys.ID(), s.keys.encrypt(app, name, value)
		_, err = s.b.Secrets.Update(ctx, e.Key, e.Value, e.Revision)
		switch {
		case err == nil:
			changed++
		case !errors.Is(err, bus.ErrChanged): // else it was set or deleted meanwhile
			return changed, err
		}
	}
	return changed, nil
}
