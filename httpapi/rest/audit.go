package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// AuditRow says who changed what.
type AuditRow struct {
	Number   uint64        `json:"number" doc:"Number of the row, from 1."`
	Time     subjects.Time `json:"time" doc:"When the request ended, by the clock of the control bus."`
	User     string        `json:"user" doc:"Id of the user who sent the request; (nobody) for a request without a login, (bus) for what the control bus did itself."`
	Key      string        `json:"key,omitempty" doc:"Name of the key with which the user sent the request. Absent for other logins."`
	Address  string        `json:"address,omitempty" doc:"IP address of the client."`
	Action   string        `json:"action" doc:"Operation id of the route, or an action of the control bus."`
	Kind     string        `json:"kind" doc:"Kind of the object."`
	App      string        `json:"app,omitempty" doc:"Application of the object."`
	Name     string        `json:"name,omitempty" doc:"Name of the object: of a job, a user, an agent; the id of an execution."`
	Job      string        `json:"job,omitempty" doc:"Job of an execution."`
	Code     string        `json:"code,omitempty" doc:"Code of the problem with which the request was answered. Absent if it succeeded."`
	Changes  []AuditChange `json:"changes,omitempty" doc:"The definitions that were written."`
	Omitted  int64         `json:"omitted,omitzero" doc:"Number of refused requests that have no row of their own, because there were too many."`
	Anchor   *AuditMark    `json:"anchor,omitempty" doc:"The last row that a purge of old rows removed."`
	Bus      string        `json:"bus" doc:"Name of the control bus."`
	Previous string        `json:"previous" doc:"Hash of the row before; zeros in the first row."`
	Hash     string        `json:"hash" doc:"SHA-256 of the row as it is stored, in hex digits."`
	Stored   *string       `json:"stored,omitempty" doc:"Only with=stored: the text of which hash is the SHA-256."`
}

// AuditChange is one write to a definition.
type AuditChange struct {
	Key    string `json:"key" doc:"Bucket and key of what was written, such as jobs/shop.nightly."`
	Before uint64 `json:"before,omitzero" doc:"Revision before the write. Absent if there was none."`
	After  uint64 `json:"after,omitzero" doc:"Revision after the write. Absent if the key was deleted."`
}

// AuditMark is a row by its number and hash.
type AuditMark struct {
	Number uint64 `json:"number" doc:"Number of the row; 0: none."`
	Hash   string `json:"hash" doc:"SHA-256 of the row, in hex digits; zeros if there is none."`
}

// AuditPage is a part of the audit.
type AuditPage struct {
	Results []AuditRow `json:"results"`
	Limit   int        `json:"limit"`
	Next    *string    `json:"next" doc:"Value of after for the next page; null on the last page. A page with a next one may be short, or empty: the bus reads up to 20,000 rows for one answer."`
	Head    AuditMark  `json:"head" doc:"The last row. Keep it elsewhere to find out later whether the audit was cut or written anew."`
	Last    uint64     `json:"last" doc:"Number of the last row that was ever stored, as the broker counts."`
}
