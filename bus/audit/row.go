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

// Users of rows that no user of the control bus caused.
const (
	Anonymous = "anonymous" // a request without a login
	Bus       = "bus"       // the control bus itself
)

// Row says who changed what. It never has a secret, a parameter of an execution
// or the content of a definition.
type Row struct {
	Number   uint64        `json:"number" doc:"Number of the row, from 1."`
	Previous string        `json:"previous" doc:"SHA-256 of the row before, in hex digits; zeros in the first row."`
	Time     subjects.Time `json:"time" doc:"When the request ended, by the clock of the control bus."`
	Bus      string        `json:"bus" doc:"Name of the control bus."`
	User     string        `json:"user" doc:"Who sent the request: a user, anonymous for a request without a login, or bus for the control bus itself."`
	Address  string        `json:"address,omitempty" doc:"IP address from which the request came. Behind a proxy, that of the proxy."`
	Action   string        `json:"action" doc:"What was done: the operationId of the route, such as put-job, or what the control bus did itself."`
	Method   string        `json:"method,omitempty" doc:"HTTP method."`
	Route    string        `json:"route,omitempty" doc:"Path of the route, such as /{app}/job/{job}."`
	App      string        `json:"app,omitempty" doc:"Application."`
	Job      string        `json:"job,omitempty" doc:"Job."`
	ID       string        `json:"id,omitempty" doc:"What else the path names: an execution, a user, an agent, a deployment, a jar."`
	Request  string        `json:"request,omitempty" doc:"Id of the request: its header X-Request-Id, or one that the control bus chose."`
	Code     string        `json:"code,omitempty" doc:"Code of the problem with which the request was answered. Absent if it succeeded."`
	Changes  []bus.Change  `json:"changes,omitempty" doc:"The definitions that were written, with their revisions before and after."`
	Omitted  int           `json:"omitted,omitempty" doc:"Number of refused requests before this row that have no row of their own, because there were too many."`
	Anchor   *Mark         `json:"anchor,omitempty" doc:"The last row that a purge of old rows removed."`
}

// Mark is a row by its number and hash.
type Mark struct {
	Number uint64 `json:"number" doc:"Number of the row."`
	Hash   string `json:"hash" doc:"SHA-256 of the row, in hex digits."`
}

// origin is the mark before the first row.
var origin = Mark{Hash: strings.Repeat("0", 2*sha256.Size)}

// Hash returns the hash of a row as it is stored.
func Hash(stored []byte) string {
	sum := sha256.Sum256(stored)
	return hex.EncodeToString(sum[:])
}

// encodeRow returns the row as it is stored. The API writes JSON with the same
// library, and so does not change its bytes.
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
