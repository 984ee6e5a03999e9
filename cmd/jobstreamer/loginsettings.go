package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// loginSettings are the settings of logins.
type loginSettings struct {
	required, cookieSecure bool
	oidc                   oidcSettings
	passwordFile           string
	timeout                time.Duration
}

func (s *loginSettings) addFlags(flags *pflag.FlagSet) {
	help.Section(flags, "Login", func(f *pflag.FlagSet) {
		f.BoolVar(&s.required, "login", false, "require a login for the REST API; the first start creates the user admin and shows its password once")
		f.StringVar(&s.passwordFile, "admin-password-file", "", "`FILE` file with the password of the user admin, read when that user is created")
		f.DurationVar(&s.timeout, "session-timeout", login.DefaultTimeout, "`DURATION` idle time after which a session ends; at least 2m")
		f.BoolVar(&s.cookieSecure, "cookie-secure", false, "send cookies over HTTPS only; with --allow-origin also from pages of other sites (SameSite=None)")
	})
	s.oidc.addFlags(flags)
}

func (s *loginSettings) checkFlags() error {
	switch {
	case s.timeout < login.MinTimeout:
		return usageError{fmt.Errorf("--session-timeout %s: want at least %s", s.timeout, login.MinTimeout)}
	case s.passwordFile != "" && !s.required:
		return usageError{errors.New("--admin-password-file requires --login")}
	}
	return s.oidc.checkFlags(s.required)
}

// prepareLogins writes the start of a bus to the audit, and creates the first
// admin if none exists.
func (p *program) prepareLogins(ctx context.Context, c *controlBus, s *loginSettings) error {
	c.recordStart(s.required)
	made, err := p.firstAdmin(ctx, c.logins, s, c.log)
	if made {
		c.audit.Record(audit.Row{Action: audit.CreatedAdmin, Kind: "user", Name: login.FirstUser})
	}
	return err
}

// firstAdmin creates the first admin if none exists, and logs the ids of all
// admins, so that a forgotten admin account is noticed.
func (p *program) firstAdmin(ctx context.Context, users *login.Service, s *loginSettings, log *slog.Logger) (made bool, err error) {
	if !s.required {
		return false, nil
	}
	if !users.HasAdmin() {
		if made, err = p.createAdmin(ctx, users, s, log); err != nil {
			return made, err
		}
	}
	log.Info("a login is required", "admins", users.Admins())
	return made, nil
}

// createAdmin creates the first admin. It shows a generated password only on a
// terminal, because other outputs are stored.
func (p *program) createAdmin(ctx context.Context, users *login.Service, s *loginSettings, log *slog.Logger) (made bool, err error) {
	if s.passwordFile != "" {
		password, err := readPassword(s.passwordFile)
		if err != nil {
			return false, err
		}
		made, err := users.FirstAdmin(ctx, password)
		if field := new(bus.FieldError); errors.As(err, &field) {
			err = usageError{fmt.Errorf("--admin-password-file %s: want %s", s.passwordFile, field.Want)}
		}
		if made {
			log.Info("the first admin was created, with the password of --admin-password-file", "user", login.FirstUser)
		}
		return made, err
	}
	if !p.atTerminal() {
		return false, usageError{errors.New("--login: there is no admin yet, and no terminal on which to show a generated password; set one with --admin-password-file")}
	}
	password := login.RandomPassword()
	made, err = users.FirstAdmin(ctx, password)
	if made {
		log.Info("the first admin was created, with a generated password, shown only on the terminal", "user", login.FirstUser)
		fmt.Fprintf(p.err, "\nUser %s was created. Its password is shown only this once:\n\n    %s\n\n", login.FirstUser, password)
	}
	return made, err
}

// readSecretFile returns the content of a file that other users cannot read.
func readSecretFile(flag, file string) (string, error) {
	if err := checkSecretFile(flag, file); err != nil {
		return "", err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usageError{fmt.Errorf("--%s: %w", flag, err)}
	}
	return string(text), nil
}

// readPassword returns the password of --admin-password-file.
func readPassword(file string) (string, error) {
	text, err := readSecretFile("admin-password-file", file)
	if err != nil {
		return "", err
	}
	password, err := login.PasswordOf(text)
	if err != nil {
		return "", usageError{fmt.Errorf("--admin-password-file %s: %w", file, err)}
	}
	return password, nil
}
