// Package oidc lets users log in at an OpenID Connect provider, with the
// authorization code flow and PKCE.
//
//	browser             control bus                          provider
//	GET /oauth/sso  --> Begin: state, nonce, verifier
//	<-- 302, cookie with the three
//	log in, consent ----------------------------------------> /authorize
//	<-- 302 with code and state
//	GET /oauth/sso/cb   with the cookie
//	                --> Finish: compare state
//	                    code, verifier -----------------------> /token
//	                    check the ID token: signature, issuer,
//	                    audience, time, nonce
//	                <-- Identity: issuer, subject, roles
//
// The browser keeps the state of a login in a cookie, so the callback may reach
// another control bus, and requests without a login store nothing. Nothing in
// the cookie is a secret to its browser: the state and the nonce bind the login
// to this browser, the verifier makes a stolen code useless elsewhere.
//
// A user is who the provider says by issuer and subject. Names and addresses of
// mail can change hands, so they only label a user.
//
// The provider need not be there when the control bus starts: Run asks for its
// metadata until it answers, and meanwhile a login is [ErrAway].
package oidc
