package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
)

// secretKeySettings say where the keys of secrets are.
type secretKeySettings struct {
	file string // empty: secretKeyFile in the data directory
}

// secretsKeyFlag is the flag with the file of keys.
const secretsKeyFlag = "secrets-key-file"

// secretKeyFile is the name of the file with the keys in the data directory of a
// bus with an embedded NATS.
const secretKeyFile = "secret.keys"

func (s *secretKeySettings) addFlag(f *pflag.FlagSet) {
	f.StringVar(&s.file, secretsKeyFlag, "", "`FILE` file with the keys that encrypt the secrets of applications, the same for all control buses (default: "+secretKeyFile+" in --data, which the first start makes; none with --nats-url)")
}

// open returns the keys, or nil if this bus has none. data is the data directory
// of the embedded NATS, empty without one. A key is made only if no secret was
// ever stored: another key than the one that is lost would read none of them.
func (s *secretKeySettings) open(ctx context.Context, b *bus.Bus, data string, log *slog.Logger) (*secrets.Keys, error) {
	if s.file != "" {
		if err := checkSecretFile(secretsKeyFlag, s.file); err != nil {
			return nil, err
		}
		keys, err := secrets.ReadKeys(s.file)
		if err != nil {
			return nil, usageError{fmt.Errorf("--%s: %w", secretsKeyFlag, err)}
		}
		return keys, nil
	}
	if data == "" {
		return nil, nil
	}
	file := filepath.Join(data, secretKeyFile)
	if mode, open := isOpenToAll(file); open {
		return nil, fmt.Errorf("keys of secrets: all users of the machine can use %s (mode %04o): want 0600", file, mode)
	}
	keys, err := secrets.ReadKeys(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	used, err := secrets.IsUsed(ctx, b)
	if err != nil {
		return nil, err
	}
	if used {
		log.Error("the file with the keys of secrets is gone: restore it from a backup; secrets cannot be used until then", "file", file)
		return nil, nil
	}
	return secrets.CreateKeys(file)
}
