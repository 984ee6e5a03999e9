package accounts

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/bus/embedded"
)

// Keys are the secret keys of a NATS operator, of the system account, of the
// bus's account, and of the account for people who look at the bus.
type Keys struct {
	operator, system, bus, look nkeys.KeyPair
}

// keyFile is the name of the file with the keys in its folder.
const keyFile = "nats.keys"

// seeds is the content of the file: NATS seeds.
type seeds struct {
	Operator string `json:"operator"`
	System   string `json:"system_account"`
	Bus      string `json:"bus_account"`
	Look     string `json:"look_account"`
}

// OpenKeys reads the keys in a folder. The first call makes them.
func OpenKeys(dir string) (*Keys, error) {
	k, err := ReadKeys(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = newKeys(); err == nil {
		err = k.write(dir)
	}
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return ReadKeys(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("make the keys of NATS in %s: %w", dir, err)
	}
	return k, nil
}

// ReadKeys reads the keys in a folder. Without the file, the error is an
// [fs.ErrNotExist].
func ReadKeys(dir string) (*Keys, error) {
	name := filepath.Join(dir, keyFile)
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("keys of NATS: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("keys of NATS: others can read %s (mode %04o): want 0600", name, mode)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("keys of NATS: %w", err)
	}
	var s seeds
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("keys of NATS in %s: no JSON", name) // the error could quote a key
	}
	k := &Keys{}
	for _, one := range []struct {
		what   string
		seed   string
		prefix nkeys.PrefixByte
		key    *nkeys.KeyPair
	}{
		{"operator", s.Operator, nkeys.PrefixByteOperator, &k.operator},
		{"system_account", s.System, nkeys.PrefixByteAccount, &k.system},
		{"bus_account", s.Bus, nkeys.PrefixByteAccount, &k.bus},
		{"look_account", s.Look, nkeys.PrefixByteAccount, &k.look},
	} {
		prefix, _, err := nkeys.DecodeSeed([]byte(one.seed))
		if err != nil || prefix != one.prefix {
			return nil, fmt.Errorf("keys of NATS in %s: %s: want the seed of such a key", name, one.what)
		}
		if *one.key, err = nkeys.FromSeed([]byte(one.seed)); err != nil {
			return nil, fmt.Errorf("keys of NATS in %s: %s: %w", name, one.what, err)
		}
	}
	return k, nil
}

func newKeys() (*Keys, error) {
	k := &Keys{}
	var errs [4]error
	k.operator, errs[0] = nkeys.CreateOperator()
	k.system, errs[1] = nkeys.CreateAccount()
	k.bus, errs[2] = nkeys.CreateAccount()
	k.look, errs[3] = nkeys.CreateAccount()
	return k, errors.Join(errs[:]...)
}

// write writes the keys to a new file, whole or not at all.
func (k *Keys) write(dir string) error {
	text, err := json.MarshalIndent(seeds{seedOf(k.operator), seedOf(k.system), seedOf(k.bus), seedOf(k.look)}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(dir, keyFile)
	part := name + "." + rand.Text()
	defer os.Remove(part)
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(part, name) // fails if the file is there
}

// seedOf returns the seed of a key pair that has one.
func seedOf(k nkeys.KeyPair) string {
	seed, err := k.Seed()
	if err != nil {
		panic(err) // only a public key has none
	}
	return string(seed)
}

// publicOf returns the public key of a key pair.
func publicOf(k nkeys.KeyPair) string {
	public, err := k.PublicKey()
	if err != nil {
		panic(err) // a key pair that was read or made has one
	}
	return public
}

// joinSigner returns the key that signs the users of agents that have joined.
// It follows from the operator's key, so the bus stores no key of an account and
// can still sign a user of it again.
func (k *Keys) joinSigner() (nkeys.KeyPair, error) {
	_, secret, err := nkeys.DecodeSeed([]byte(seedOf(k.operator)))
	if err != nil {
		return nil, fmt.Errorf("key of agents that join: %w", err)
	}
	raw, err := hkdf.Key(sha256.New, secret, nil, "jobstreamer join", 32)
	if err != nil {
		return nil, fmt.Errorf("key of agents that join: %w", err)
	}
	return nkeys.FromRawSeed(nkeys.PrefixByteAccount, raw)
}

// BusAccount returns the name of the bus's account: its public key.
func (k *Keys) BusAccount() string { return publicOf(k.bus) }

// SystemAccount returns the name of the system account: its public key.
func (k *Keys) SystemAccount() string { return publicOf(k.system) }

// Trust returns what a server must know to accept the accounts.
func (k *Keys) Trust() (*embedded.Trust, error) {
	operator, err := k.Operator()
	if err != nil {
		return nil, fmt.Errorf("make the NATS operator: %w", err)
	}
	always, err := k.Accounts()
	return &embedded.Trust{Operator: operator, System: k.SystemAccount(), JetStream: k.BusAccount(), Accounts: always}, err
}

// ServerConfig returns the part of a nats-server's configuration that makes it
// accept the accounts. store is the folder in which the server keeps those of
// agents.
func (k *Keys) ServerConfig(store string) (string, error) {
	trust, err := k.Trust()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "operator: %s\nsystem_account: %s\n", trust.Operator, trust.System)
	fmt.Fprintf(&b, "resolver: {\n  type: full\n  dir: %q\n  allow_delete: false\n  interval: \"10s\"\n}\n", store)
	b.WriteString("resolver_preload: {\n")
	for _, account := range slices.Sorted(maps.Keys(trust.Accounts)) {
		fmt.Fprintf(&b, "  %s: %s\n", account, trust.Accounts[account])
	}
	b.WriteString("}\n")
	return b.String(), nil
}
