package subjects

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of secrets. One answer must fit into a message of NATS.
const (
	MaxSecretName  = 128      // characters
	MaxSecret      = 32 << 10 // bytes of one secret
	MaxSecretNames = 16       // in one request; an agent that needs more sends several
)

// AllSecretRequests is the filter of the subject on which buses answer agents
// that ask for secrets.
const AllSecretRequests = "jobstreamer.secret.*.*"

// SecretSubject returns the subject on which an agent asks for secrets of an
// application.
func SecretSubject(app, agent string) string { return "jobstreamer.secret." + app + "." + agent }

// ParseSecretSubject returns the parts of such a subject.
func ParseSecretSubject(subject string) (app, agent string, err error) {
	t := strings.Split(subject, ".")
	if len(t) == 4 && t[0] == "jobstreamer" && t[1] == "secret" && ValidName(t[2]) && ValidName(t[3]) {
		return t[2], t[3], nil
	}
	return "", "", fmt.Errorf("%q is not jobstreamer.secret.<app>.<agent>", subject)
}

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// ValidSecretName reports whether a secret can have the name: up to
// [MaxSecretName] of A-Z, a-z, 0-9 and _, with no digit at the beginning. So it
// can be the name of an environment variable.
func ValidSecretName(name string) bool { return secretName.MatchString(name) }

// CheckSecret returns why a secret cannot have the value, or nil. A value is
// not empty, UTF-8 without NUL, as the environment of a process needs it, and
// has at most [MaxSecret] bytes. The error does not quote it.
func CheckSecret(value string) error {
	switch {
	case value == "":
		return errors.New("want a value, got an empty one")
	case len(value) > MaxSecret:
		return fmt.Errorf("want at most %d bytes, got %d", MaxSecret, len(value))
	case !utf8.ValidString(value):
		return errors.New("want UTF-8")
	case strings.ContainsRune(value, 0):
		return errors.New("want a value without NUL characters")
	}
	return nil
}

// SecretRequest asks for secrets of the application that an agent runs an
// attempt of. Job, execution, attempt and handling are those of the claim.
type SecretRequest struct {
	ID        int64    `json:"execution_id"`
	Job       string   `json:"job"` // the key
	Attempt   int      `json:"attempt"`
	Handling  string   `json:"handling"`
	Names     []string `json:"names"`      // 1 to [MaxSecretNames], each once
	PublicKey []byte   `json:"public_key"` // X25519, 32 bytes; for this request only
}

// Check returns what is wrong with the request, or nil.
func (r *SecretRequest) Check() error {
	switch {
	case r.ID <= 0:
		return fmt.Errorf("execution_id: want a positive number, got %d", r.ID)
	case !ValidName(r.Job):
		return fmt.Errorf("job: want the key of a job, got %.140q", r.Job)
	case r.Attempt <= 0:
		return fmt.Errorf("attempt: want a positive number, got %d", r.Attempt)
	case r.Handling == "":
		return errors.New("handling: want that of the claim, got none")
	case len(r.Names) == 0 || len(r.Names) > MaxSecretNames:
		return fmt.Errorf("names: want 1 to %d, got %d", MaxSecretNames, len(r.Names))
	case len(r.PublicKey) != 32:
		return fmt.Errorf("public_key: want 32 bytes in Base64, got %d", len(r.PublicKey))
	}
	for i, name := range r.Names {
		if !ValidSecretName(name) {
			return fmt.Errorf("names: want A-Z, a-z, 0-9 and _ and no digit at the beginning, got %.140q", name)
		}
		if slices.Contains(r.Names[:i], name) {
			return fmt.Errorf("names: want each name once, got %s twice", name)
		}
	}
	return nil
}

// Codes of a [SecretError].
const (
	SecretsNotYet      = "not_claimed"   // the bus has not seen the claim yet: ask again
	SecretsUnknown     = "unknown_names" // the application has no such secrets: all of them are in Names
	SecretsRefused     = "refused"       // the attempt is not one that this agent runs
	SecretsUnavailable = "unavailable"   // the application has them, but this bus cannot decrypt them
	SecretsInvalid     = "invalid"       // no request that [SecretRequest.Check] accepts
)

// SecretError says why a bus gave no secrets.
type SecretError struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Names   []string `json:"names,omitempty"` // with [SecretsUnknown]
}

func (e *SecretError) Error() string { return e.Message }

// SecretReply answers a [SecretRequest]: with the sealed secrets, or an error.
type SecretReply struct {
	Sealed []byte       `json:"sealed,omitempty"` // see [SealSecrets]
	Error  *SecretError `json:"error,omitempty"`
}

// SealSecrets encrypts the values of r's names, so that only the holder of the
// private key can read them. values has exactly these names.
func SealSecrets(r *SecretRequest, values map[string]string) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	if err := sameNames(r, values); err != nil {
		return nil, err
	}
	point, err := ecdh.X25519().NewPublicKey(r.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("public_key: %w", err)
	}
	key, err := hpke.NewDHKEMPublicKey(point)
	if err != nil {
		return nil, fmt.Errorf("public_key: %w", err)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // would make a value up to six times as long
	if err := enc.Encode(values); err != nil {
		return nil, fmt.Errorf("encode secrets: %w", err)
	}
	sealed, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), secretInfo(r), text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("seal secrets: %w", err)
	}
	return sealed, nil
}

// SecretKey is the private key of one [SecretRequest].
type SecretKey struct{ key hpke.PrivateKey }

// NewSecretKey draws a key.
func NewSecretKey() (*SecretKey, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("draw a key: %w", err)
	}
	return &SecretKey{key}, nil
}

// ParseSecretKey returns the key with the given 32 bytes.
func ParseSecretKey(private []byte) (*SecretKey, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("read a key: %w", err)
	}
	return &SecretKey{key}, nil
}

// Public returns the public key of a request.
func (k *SecretKey) Public() []byte { return k.key.PublicKey().Bytes() }

// Open decrypts the answer to r, whose public key is that of k. It fails if the
// answer belongs to another request, or lacks one of its names. The error quotes
// no value.
func (k *SecretKey) Open(r *SecretRequest, sealed []byte) (map[string]string, error) {
	text, err := hpke.Open(k.key, hpke.HKDFSHA256(), hpke.AES256GCM(), secretInfo(r), sealed)
	if err != nil {
		return nil, fmt.Errorf("open sealed secrets: %w", err)
	}
	var values map[string]string
	if json.Unmarshal(text, &values) != nil {
		return nil, errors.New("sealed secrets: want a JSON object of strings")
	}
	return values, sameNames(r, values)
}

// secretInfo returns the info of HPKE. It binds an answer to one attempt.
func secretInfo(r *SecretRequest) []byte {
	return []byte("jobstreamer.secret " + strconv.FormatInt(r.ID, 10) + " " + strconv.Itoa(r.Attempt))
}

// sameNames returns an error unless values has the names of r and no others.
func sameNames(r *SecretRequest, values map[string]string) error {
	for _, name := range r.Names {
		if _, ok := values[name]; !ok {
			return fmt.Errorf("secrets: want a value of %s, got none", name)
		}
	}
	if len(values) != len(r.Names) {
		return fmt.Errorf("secrets: want %d values, got %d", len(r.Names), len(values))
	}
	return nil
}
