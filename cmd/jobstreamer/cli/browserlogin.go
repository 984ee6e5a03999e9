package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// browserTimeout is how long the command waits for the browser: a little longer
// than the control bus does.
const browserTimeout = 11 * time.Minute

// logInByBrowser lets the user log in at the login provider of the control bus,
// and returns who they are. The browser brings a code to a listener on the
// loopback interface (RFC 8252). The code is useless without the verifier, which
// does not leave this process but for the control bus.
func (inv *invocation) logInByBrowser(bare *client.Client) (user, token string, err error) {
	providers, err := bare.LoginProviders(inv.ctx)
	if err != nil {
		return "", "", err
	}
	if len(providers) == 0 {
		return "", "", usageErrorf("the control bus has no login provider; log in with a password: %s", inv.serverCommandLine("login USER"))
	}
	if strings.HasPrefix(bare.URL(), "unix:") {
		return "", "", usageErrorf("a browser cannot reach a Unix socket; set --server to an address of the control bus that the browser reaches")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", fmt.Errorf("listen for the browser: %w", err)
	}
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	login := client.BrowserLogin{
		Provider: slices.Sorted(maps.Keys(providers))[0], RedirectURI: fmt.Sprintf("http://%s/callback", l.Addr()),
		State: rand.Text(), Challenge: base64.RawURLEncoding.EncodeToString(challenge[:]),
	}
	at := bare.BrowserLoginURL(login)
	fmt.Fprintf(inv.Err, "Log in with a browser on this machine. It must show the code %s.\n\n    %s\n\n", rest.ConsentCode(login.State), at)
	if IsTerminal(inv.Err) {
		openBrowser(inv.ctx, at)
	}
	code, err := waitForBrowser(inv.ctx, l, login.State)
	if err != nil {
		return "", "", err
	}
	if token, err = bare.RedeemCode(inv.ctx, login.Provider, code, verifier); err != nil {
		return "", "", err
	}
	me, err := bare.WithToken(token).Account(inv.ctx)
	if err != nil {
		return "", "", err
	}
	return me.ID, token, nil
}

// waitForBrowser returns the code that a browser brings to l together with the
// state. It closes l.
func waitForBrowser(ctx context.Context, l net.Listener, state string) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, browserTimeout)
	defer cancel()
	type outcome struct {
		code string
		err  error
	}
	brought := make(chan outcome, 1)
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		// Pages in the browser can send requests here, but do not know the state.
		if r.URL.Path != "/callback" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
			http.Error(w, "This is not the login that jobstreamer waits for.", http.StatusBadRequest)
			return
		}
		is, text := outcome{code: q.Get("code")}, "Return to the command line; you can close this page."
		if is.code == "" {
			is.err = fmt.Errorf("the login failed: %s (%s)", printable(q.Get("error_description")), printable(q.Get("error")))
			text = "The login failed: " + q.Get("error_description")
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Connection", "close")
		fmt.Fprintf(w, "<!doctype html><title>jobstreamer</title><p>%s</p>\n", html.EscapeString(text))
		select {
		case brought <- is:
		default: // the browser loads the page again
		}
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	defer func() {
		_ = srv.Shutdown(ctx) // lets the browser read its page
		_ = srv.Close()
		<-served //nolint:errcheck // http.ErrServerClosed
	}()
	select {
	case is := <-brought:
		return is.code, is.err
	case err := <-served:
		served <- nil
		return "", fmt.Errorf("listen for the browser: %w", err)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("no browser came back from the login provider within %s", browserTimeout)
		}
		return "", ctx.Err()
	}
}

// openBrowser opens a URL in the user's browser, if there is one. The user sees
// the URL too. The browser outlives this program.
func openBrowser(ctx context.Context, at string) {
	command := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), command[0], append(command[1:], at)...)
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // ends with the program at the latest
	}
}
