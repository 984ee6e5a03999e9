// Command provider is an OpenID Connect provider for tests: the certified
// library zitadel/oidc with its login page, two users, and a claim with their
// groups. It is a module of its own, so that the control bus does not depend on
// the library.
//
//	provider PORT-FILE CLIENT-SECRET REDIRECT-URI
//
// It listens on a free loopback port and writes its issuer to PORT-FILE.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User { return u[id] }

func (u users) GetUserByUsername(name string) *storage.User {
	for _, user := range u {
		if user.Username == name {
			return user
		}
	}
	return nil
}

func (u users) ExampleClientID() string { return storage.ServiceUserID }

// groups are those of the users, by id.
var groups = map[string][]string{"u-1": {"jobs-admins", "staff"}, "u-2": {"clerks", "staff"}, "u-3": {"visitors"}}

// withGroups adds the claim groups to what the storage says of a user.
type withGroups struct{ *storage.Storage }

func (w withGroups) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	err := w.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
	if err == nil {
		info.AppendClaims("groups", groups[subject])
	}
	return err
}

func run(issuerFile, secret, redirectURI string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := fmt.Sprintf("http://%s", l.Addr())
	all := users{}
	for id := range groups {
		name := map[string]string{"u-1": "ann", "u-2": "bob", "u-3": "eve"}[id]
		all[id] = &storage.User{ID: id, Username: name, Password: name + "'s password", Email: name + "@example.com", EmailVerified: true}
	}
	clients := map[string]*storage.Client{"jobstreamer": storage.WebClient("jobstreamer", secret, strings.Split(redirectURI, ",")...)}
	store := withGroups{storage.NewStorageWithClients(all, clients)}
	handler := exampleop.SetupServer(issuer, store, slog.New(slog.NewTextHandler(io.Discard, nil)), false)
	if err := os.WriteFile(issuerFile, []byte(issuer), 0o600); err != nil {
		return err
	}
	return http.Serve(l, handler)
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
