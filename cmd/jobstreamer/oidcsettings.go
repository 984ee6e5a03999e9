package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus/oidc"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// oidcSettings are the settings of logins at an OpenID Connect provider.
type oidcSettings struct {
	issuer, clientID, secretFile, name string
	publicURL                          string
	scopes, roles                      []string
	userClaim, roleClaim               string
}

func (s *oidcSettings) addFlags(flags *pflag.FlagSet) {
	help.Section(flags, "Login by OpenID Connect", func(f *pflag.FlagSet) {
		f.StringVar(&s.issuer, "oidc-issuer", "", "`URL` issuer of an OpenID Connect provider at which users can log in, besides those with a password")
		f.StringVar(&s.publicURL, "public-url", "", "`URL` address of the REST API as browsers reach it, such as https://jobs.example.com; the provider must allow redirects to URL/oauth/sso/cb")
		f.StringVar(&s.clientID, "oidc-client-id", "", "`ID` id of the control bus at the provider")
		f.StringVar(&s.secretFile, "oidc-client-secret-file", "", "`FILE` file with the client secret; without it, the control bus is a public client")
		f.StringSliceVar(&s.roles, "oidc-roles", nil, "`RULES` roles of the groups at the provider, such as jobs-admins=admin,clerks=operator@billing; * means every user; others are refused")
		f.StringVar(&s.roleClaim, "oidc-role-claim", "groups", "`CLAIM` claim with the groups of a user; a dot leads into an object")
		f.StringVar(&s.userClaim, "oidc-user-claim", "preferred_username", "`CLAIM` claim with the name of a user: preferred_username, email or sub")
		f.StringSliceVar(&s.scopes, "oidc-scopes", []string{"profile", "email"}, "`SCOPES` scopes to ask for, besides openid")
		f.StringVar(&s.name, "oidc-name", "Single sign-on", "`NAME` name of the provider on login pages")
	})
}

// checkFlags refuses settings that lack their other half.
func (s *oidcSettings) checkFlags(login bool) error {
	if s.issuer == "" {
		for name, value := range map[string]string{
			"public-url": s.publicURL, "oidc-client-id": s.clientID, "oidc-client-secret-file": s.secretFile, "oidc-roles": strings.Join(s.roles, ","),
		} {
			if value != "" {
				return usageError{fmt.Errorf("--%s requires --oidc-issuer", name)}
			}
		}
		return nil
	}
	switch {
	case !login:
		return usageError{errors.New("--oidc-issuer requires --login")}
	case s.publicURL == "":
		return usageError{errors.New("--oidc-issuer requires --public-url, to which the provider redirects browsers")}
	}
	return nil
}

// open returns the provider, or nil if there is none.
func (s *oidcSettings) open(log *slog.Logger) (*oidc.Provider, error) {
	if s.issuer == "" {
		return nil, nil
	}
	secret := ""
	if s.secretFile != "" {
		text, err := readSecretFile("oidc-client-secret-file", s.secretFile)
		if err != nil {
			return nil, err
		}
		if secret = strings.TrimRight(text, "\r\n"); secret == "" || strings.ContainsAny(secret, "\r\n") {
			return nil, usageError{fmt.Errorf("--oidc-client-secret-file %s: want one line that is the secret", s.secretFile)}
		}
	}
	p, err := oidc.New(oidc.Config{
		Name: s.name, Issuer: s.issuer, ClientID: s.clientID, ClientSecret: secret, PublicURL: s.publicURL,
		Scopes: append([]string{}, s.scopes...), UserClaim: s.userClaim, RoleClaim: s.roleClaim, Roles: s.roles, Log: log,
	})
	return p, fieldFlagError(err)
}
