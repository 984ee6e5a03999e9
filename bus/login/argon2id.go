package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Hashing a password takes 19 MiB and some 20 ms (OWASP's second
// recommendation). A stored hash has its own parameters, so it stays valid when
// these change.
const (
	memory  = 19456 // KiB
	passes  = 2
	threads = 1

	saltLength = 16
	hashLength = 32
)

// phc is the format of a stored hash (the PHC string format).
const phc = "$argon2id$v=%d$m=%d,t=%d,p=%d$"

// unknownUser is a hash that no password has. It is compared for an unknown
// user, so that an unknown user takes as long as a wrong password.
var unknownUser = formatHash(make([]byte, saltLength), make([]byte, hashLength))

func newHash(password string) string {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // it never fails
	return formatHash(salt, argon2.IDKey([]byte(password), salt, passes, memory, threads, hashLength))
}

func formatHash(salt, hash []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf(phc, argon2.Version, memory, passes, threads) + b64.EncodeToString(salt) + "$" + b64.EncodeToString(hash)
}

var errHash = errors.New("the stored password is not an argon2id hash")

// matchesHash reports whether hash belongs to password.
func matchesHash(password, hash string) (bool, error) {
	var version, m, t uint32
	var p uint8
	if _, err := fmt.Sscanf(hash, phc, &version, &m, &t, &p); err != nil || version != argon2.Version || t == 0 || p == 0 {
		return false, errHash
	}
	parts := strings.Split(hash, "$")
	if len(parts) != 6 {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || err2 != nil || len(want) < 16 {
		return false, errHash
	}
	got := argon2.IDKey([]byte(password), salt, t, m, p, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
