package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// addTo adds the operator and its accounts to the server's options. The server
// keeps the accounts in a folder of its own, so that agents can connect as soon
// as it has restarted.
func (t *Trust) addTo(opts *server.Options) error {
	operator, err := jwt.DecodeOperatorClaims(t.Operator)
	if err != nil {
		return fmt.Errorf("operator of the embedded NATS: %w", err)
	}
	dir := filepath.Join(opts.StoreDir, "accounts")
	known, err := server.NewDirAccResolver(dir, 0, 0, server.NoDelete)
	if err != nil {
		return fmt.Errorf("accounts of the embedded NATS in %s: %w", dir, err)
	}
	for account, token := range t.Accounts {
		if err := known.Store(account, token); err != nil {
			return fmt.Errorf("store the account %s of the embedded NATS: %w", account, err)
		}
	}
	opts.TrustedOperators, opts.SystemAccount, opts.AccountResolver = []*jwt.OperatorClaims{operator}, t.System, known
	return nil
}

// jetStreamAccount returns the name of the account whose streams the server
// stores.
func (c *Config) jetStreamAccount() string {
	if c.Trust == nil {
		return server.DEFAULT_GLOBAL_ACCOUNT
	}
	return c.Trust.JetStream
}

// moveAccount gives the stored streams to the account that has JetStream now.
// It was another one if the server ran with other settings the last time.
func moveAccount(cfg *Config) error {
	dir := filepath.Join(cfg.Dir, server.JetStreamStoreDir)
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the accounts of the embedded NATS: %w", err)
	}
	own := cfg.jetStreamAccount()
	var other []string
	for _, e := range all {
		switch {
		case e.Name() == own:
			return nil
		case e.IsDir():
			other = append(other, e.Name())
		}
	}
	if len(other) != 1 {
		return nil // a new folder, or one that is not ours
	}
	if err := os.Rename(filepath.Join(dir, other[0]), filepath.Join(dir, own)); err != nil {
		return fmt.Errorf("give the streams to the account %s: %w", own, err)
	}
	return nil
}
