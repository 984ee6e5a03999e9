package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// keySize is the size of a key in bytes, for AES-256.
const keySize = 32

// wantKeys describes the content of a file with keys.
const wantKeys = "keys of 32 random bytes in Base64, one a line"

// Keys are the keys of a file. The first encrypts, all of them decrypt.
type Keys struct {
	file string
	all  []key
}

// key is one key with its id.
type key struct {
	id   string
	aead cipher.AEAD // draws a random nonce for each value
}

// newKey returns the key with the given bytes. Its id is a part of a hash of it.
func newKey(raw []byte) (key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, err
	}
	sum := sha256.Sum256(append([]byte("jobstreamer secret key\n"), raw...))
	return key{hex.EncodeToString(sum[:8]), aead}, nil
}

// ReadKeys reads the keys in a file. Empty lines and lines that begin with # do
// not count. Without the file, the error is an [fs.ErrNotExist]. No error quotes
// a line.
func ReadKeys(file string) (*Keys, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("keys of secrets: %w", err)
	}
	k := &Keys{file: file}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("keys of secrets in %s, line %d: want %s", file, number, wantKeys)
		}
		one, err := newKey(raw)
		if err != nil {
			return nil, fmt.Errorf("keys of secrets in %s, line %d: %w", file, number, err)
		}
		if k.find(one.id) != nil {
			return nil, fmt.Errorf("keys of secrets in %s, line %d: want each key once", file, number)
		}
		k.all = append(k.all, one)
	}
	if len(k.all) == 0 {
		return nil, fmt.Errorf("keys of secrets in %s: want %s, got none", file, wantKeys)
	}
	return k, nil
}

// CreateKeys makes a file with one new key, whole and on disk, or not at all. If
// the file exists, the error is an [fs.ErrExist].
func CreateKeys(file string) (*Keys, error) {
	raw := make([]byte, keySize)
	rand.Read(raw) // it never fails
	text := base64.StdEncoding.EncodeToString(raw) + "\n"
	if err := writeNewFile(file, text); err != nil {
		return nil, fmt.Errorf("make the key of secrets: %w", err)
	}
	return ReadKeys(file)
}

// writeNewFile writes a file that only its owner can read, atomically and
// durably. It does not replace a file.
func writeNewFile(file, text string) error {
	part := file + "." + rand.Text()
	defer os.Remove(part)
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(part, file); err != nil { // fails if the file is there
		return err
	}
	syncDir(filepath.Dir(file))
	return nil
}

// syncDir flushes the entries of a directory, where the system can do that.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync() // Windows refuses it
		_ = d.Close()
	}
}

// ID returns the id of the key that encrypts.
func (k *Keys) ID() string { return k.all[0].id }

// ids returns the ids of all keys, for messages.
func (k *Keys) ids() string {
	var all []string
	for i := range k.all {
		all = append(all, k.all[i].id)
	}
	return strings.Join(all, ", ")
}

// find returns the key with an id, or nil.
func (k *Keys) find(id string) *key {
	for i := range k.all {
		if k.all[i].id == id {
			return &k.all[i]
		}
	}
	return nil
}

// codeDamaged is the code of a stored secret that its key does not decrypt.
const codeDamaged = "secret_damaged"

// boundTo returns the additional data of a secret's value. A dot cannot be a
// part of a name, so no two secrets have the same.
func boundTo(app, name string) []byte { return []byte("jobstreamer secret\n" + app + "." + name) }

// encrypt encrypts a value with the first key.
func (k *Keys) encrypt(app, name, value string) []byte {
	return k.all[0].aead.Seal(nil, nil, []byte(value), boundTo(app, name))
}

// decrypt decrypts a stored secret. The error is a [bus.StateError]:
// no_secret_key if k is nil, other_secret_key if the file lacks the key of the
// secret, secret_damaged if its value was changed or moved.
func (k *Keys) decrypt(app, name string, s *bus.Secret) (string, error) {
	if k == nil {
		return "", errNoKeys
	}
	one := k.find(s.KeyID)
	if one == nil {
		return "", k.lacks(s.KeyID)
	}
	value, err := one.aead.Open(nil, nil, s.Sealed, boundTo(app, name))
	if err != nil {
		return "", bus.State(codeDamaged, "the stored secret %s of the application %s was changed or moved: set it again", name, app)
	}
	return string(value), nil
}

// lacks is the error of a file that lacks a key.
func (k *Keys) lacks(id string) error {
	return bus.State(bus.CodeOtherSecretKey, "secrets are encrypted with the key %s, which this control bus does not have: %s has %s. "+
		"Give all control buses the same file with --secrets-key-file", id, k.file, k.ids())
}
