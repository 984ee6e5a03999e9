package bus

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// Secret is a secret of an application as it is stored: encrypted.
type Secret struct {
	KeyID      string        `json:"key_id"`           // of the key that it is encrypted with
	Sealed     []byte        `json:"sealed,omitempty"` // nonce and ciphertext
	SetBy      string        `json:"set_by,omitempty"` // id of the user; empty: no login was required
	CreateTime subjects.Time `json:"create_time,omitzero"`
	UpdateTime subjects.Time `json:"last_updated_time,omitzero"`
}

// SecretKeyMark is the key in the bucket secrets whose value only names the key
// that buses encrypt with. It has no dot, so it is not a secret.
const SecretKeyMark = "key"

// SecretKey returns the key of an application's secret in the bucket secrets.
func SecretKey(app, name string) string { return app + "." + name }
