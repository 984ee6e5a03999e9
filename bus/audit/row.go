package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Users of rows that no user of the control bus caused. No user can have such
// an id.
const (
	Nobody = "(nobody)" // a request without a login
	Bus    = "(bus)"    // the control bus itself
)

// Actions of the control bus itself.
const (
	StartedWithLogin    = "start-with-login"
	StartedWithoutLogin = "start-without-login"
	CreatedAdmin        = "create-first-admin"
	purgedRows          = "purge-audit"
	omittedRows         = "omit-refused-requests"
)

// Row says who changed what. It never has a secret, a parameter of an execution
// or the content of a definition.
type Row struct {
	Number   uint64        `json:"number"`            // from 1
	Previous string        `json:"previous"`          // hash of the row before; zeros in row 1
	Time     subjects.Time `json:"time"`              // when the request ended
	Bus      string        `json:"bus"`               // name of the control bus
	User     string        `json:"user"`              // or [Nobody], or [Bus]
	Key      string        `json:"key,omitempty"`     // name of the user's API key, if one was sent
	Address  string        `json:"address,omitempty"` // of the client
	Action   string        `json:"action"`            // operation id of the route, or of the bus itself
	Kind     string        `json:"kind"`              // of the object: job, user, execution ...
	App      string        `json:"app,omitempty"`     // application of the object
	Name     string        `json:"name,omitempty"`    // of the object; an execution's id
	Job      string        `json:"job,omitempty"`     // of an execution

	// Code is that of the problem that was answered; empty if the request
	// succeeded.
	Code string `json:"code,omitempty"`

	// Changes are the definitions that were written.
	Changes []bus.Change `json:"changes,omitempty"`

	// Omitted is the number of refused requests that have no row, because there
	// were too many.
	Omitted int64 `json:"omitted,omitzero"`

	// Anchor is the last row that a purge removed.
	Anchor *Mark `json:"anchor,omitempty"`
}

// Mark is a row by its number and hash.
type Mark struct {
	Number uint64 `json:"number"`
	Hash   string `json:"hash"` // SHA-256 in hex digits
}

// origin is the mark before the first row.
var origin = Mark{Hash: strings.Repeat("0", 2*sha256.Size)}

// Hash returns the hash of a row as it is stored.
func Hash(stored []byte) string {
	sum := sha256.Sum256(stored)
	return hex.EncodeToString(sum[:])
}

// encodeRow returns the row as it is stored.
func encodeRow(r *Row) ([]byte, error) {
	data, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode audit row %d: %w", r.Number, err)
	}
	return data, nil
}

// decodeRow decodes a stored row. A later version may store more members.
func decodeRow(stored []byte) (r Row, err error) {
	if err = json.Unmarshal(stored, &r); err != nil {
		return r, fmt.Errorf("decode audit row: %w", err)
	}
	return r, nil
}
