package subjects_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func newSecretRequest(t *testing.T, names ...string) (*subjects.SecretKey, *subjects.SecretRequest) {
	t.Helper()
	key, err := subjects.NewSecretKey()
	if err != nil {
		t.Fatal(err)
	}
	return key, &subjects.SecretRequest{ID: 4711, Job: "nightly", Attempt: 2, Handling: "h", Names: names, PublicKey: key.Public()}
}

func TestSecretsAreForOneRequest(t *testing.T) {
	key, r := newSecretRequest(t, "DB_PASSWORD", "TOKEN")
	values := map[string]string{"DB_PASSWORD": "geheim", "TOKEN": "a<b>&\n\"c\" \u2028"}
	sealed, err := subjects.SealSecrets(r, values)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("geheim")) || bytes.Contains(sealed, []byte("TOKEN")) {
		t.Error("the sealed answer can be read")
	}
	if got, err := key.Open(r, sealed); err != nil || !maps.Equal(got, values) {
		t.Errorf("opened %q, %v, want %q", got, err, values)
	}
	other, _ := newSecretRequest(t)
	if got, err := other.Open(r, sealed); err == nil {
		t.Errorf("another key opened %q", got)
	}
	for name, change := range map[string]func(*subjects.SecretRequest){
		"another execution": func(r *subjects.SecretRequest) { r.ID++ },
		"another attempt":   func(r *subjects.SecretRequest) { r.Attempt++ },
		"one more name":     func(r *subjects.SecretRequest) { r.Names = []string{"DB_PASSWORD", "TOKEN", "X"} },
		"one name less":     func(r *subjects.SecretRequest) { r.Names = r.Names[:1] },
	} {
		changed := *r
		change(&changed)
		if _, err := key.Open(&changed, sealed); err == nil {
			t.Errorf("%s: the answer was accepted", name)
		}
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := key.Open(r, sealed); err == nil {
		t.Error("a changed answer was accepted")
	}
}

// An agent of this release can open what later buses seal, and an agent in
// another language can test itself with these bytes.
func TestSecretsOfAnotherRelease(t *testing.T) {
	private := bytes.Repeat([]byte{7}, 32)
	key, err := subjects.ParseSecretKey(private)
	if err != nil {
		t.Fatal(err)
	}
	r := &subjects.SecretRequest{ID: 4711, Attempt: 2, Names: []string{"DB_PASSWORD"}}
	sealed, _ := base64.StdEncoding.DecodeString(sealedByFirstRelease)
	values, err := key.Open(r, sealed)
	if err != nil || values["DB_PASSWORD"] != "geheim" {
		t.Errorf("opened %q, %v", values, err)
	}
}

const sealedByFirstRelease = "samkaMWNsQEkoMcoCmD/gEGn5mEEHePBq2FYVnAcLDFQAMSaoThM3UCy1Nch8CsR/EmPqOZP78UyK2chjl9HnQKaitkUjpbeYA=="

func TestSecretRequestCheck(t *testing.T) {
	many := make([]string, subjects.MaxSecretNames+1)
	for i := range many {
		many[i] = "N" + strings.Repeat("x", i)
	}
	for _, test := range []struct {
		name, err string
		change    func(*subjects.SecretRequest)
	}{
		{"a good one", "", func(*subjects.SecretRequest) {}},
		{"no execution", "execution_id: want a positive number, got 0", func(r *subjects.SecretRequest) { r.ID = 0 }},
		{"no job", `job: want the key of a job, got "a.b"`, func(r *subjects.SecretRequest) { r.Job = "a.b" }},
		{"no attempt", "attempt: want a positive number, got 0", func(r *subjects.SecretRequest) { r.Attempt = 0 }},
		{"no handling", "handling: want that of the claim", func(r *subjects.SecretRequest) { r.Handling = "" }},
		{"no names", "names: want 1 to 16, got 0", func(r *subjects.SecretRequest) { r.Names = nil }},
		{"too many names", "names: want 1 to 16, got 17", func(r *subjects.SecretRequest) { r.Names = many }},
		{"a bad name", `got "A-B"`, func(r *subjects.SecretRequest) { r.Names = []string{"A", "A-B"} }},
		{"a name twice", "got A twice", func(r *subjects.SecretRequest) { r.Names = []string{"A", "B", "A"} }},
		{"no key", "public_key: want 32 bytes in Base64, got 0", func(r *subjects.SecretRequest) { r.PublicKey = nil }},
	} {
		_, r := newSecretRequest(t, "A", "B")
		test.change(r)
		err := r.Check()
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: the error is %v, want %q", test.name, err, test.err)
		}
		if _, sealErr := subjects.SealSecrets(r, map[string]string{"A": "x", "B": "y"}); (sealErr == nil) != (err == nil) {
			t.Errorf("%s: sealing returned %v", test.name, sealErr)
		}
	}
}

// A public key of zeros makes the shared secret known to everybody.
func TestSecretsForNoKey(t *testing.T) {
	_, r := newSecretRequest(t, "A")
	r.PublicKey = make([]byte, 32)
	if _, err := subjects.SealSecrets(r, map[string]string{"A": "x"}); err == nil {
		t.Error("secrets were sealed for a key that has no private part")
	}
}

func TestSecretNamesAndValues(t *testing.T) {
	for name, want := range map[string]bool{
		"DB_PASSWORD": true, "_x9": true, strings.Repeat("a", 128): true,
		"": false, "9A": false, "A-B": false, "Ä": false, "A\n": false, strings.Repeat("a", 129): false,
	} {
		if got := subjects.ValidSecretName(name); got != want {
			t.Errorf("ValidSecretName(%q) = %v", name, got)
		}
	}
	for _, test := range []struct{ value, err string }{
		{"x", ""}, {"two\nlines", ""}, {strings.Repeat("x", subjects.MaxSecret), ""},
		{"", "want a value"}, {"bad\x00value", "want a value without NUL"}, {"bad\xff", "want UTF-8"},
		{strings.Repeat("x", subjects.MaxSecret+1), "want at most 32768 bytes, got 32769"},
	} {
		err := subjects.CheckSecret(test.value)
		if (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "bad")) {
			t.Errorf("CheckSecret(%.20q) = %v, want %q", test.value, err, test.err)
		}
	}
}

func TestSecretSubject(t *testing.T) {
	app, agent, err := subjects.ParseSecretSubject(subjects.SecretSubject("shop", "a-1"))
	if app != "shop" || agent != "a-1" || err != nil {
		t.Errorf("got %q, %q, %v", app, agent, err)
	}
	for _, bad := range []string{"", "jobstreamer.secret.shop", "jobstreamer.secret.shop.a.b", "jobstreamer.secret..a", "jobstreamer.log.shop.a"} {
		if _, _, err := subjects.ParseSecretSubject(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// The messages as the comment of the package shows them.
func TestSecretMessages(t *testing.T) {
	r := subjects.SecretRequest{ID: 1, Job: "j", Attempt: 1, Handling: "h", Names: []string{"A"}, PublicKey: []byte{1, 2}}
	for _, test := range []struct {
		message any
		want    string
	}{
		{r, `{"execution_id":1,"job":"j","attempt":1,"handling":"h","names":["A"],"public_key":"AQI="}`},
		{subjects.SecretReply{Sealed: []byte{1, 2}}, `{"sealed":"AQI="}`},
		{subjects.SecretReply{Error: &subjects.SecretError{Code: subjects.SecretsUnknown, Message: "m", Names: []string{"A"}}}, `{"error":{"code":"unknown_names","message":"m","names":["A"]}}`},
	} {
		if got, _ := json.Marshal(test.message); string(got) != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
