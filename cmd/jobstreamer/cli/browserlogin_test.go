package cli

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// bring plays the browser that comes back from the provider.
func bring(t *testing.T, at string) (status int, page string) {
	t.Helper()
	res, err := http.Get(at)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// Only the browser that knows the state brings a code.
func TestWaitForBrowser(t *testing.T) {
	for _, c := range []struct{ name, query, code, err, page string }{
		{"a code", "code=abc", "abc", "", "close this page"},
		{"a refusal", "error=no_role&error_description=no+%3Cb%3Erole%1b", "", "no <b>role", "no &lt;b&gt;role"},
		{"neither", "", "", "the login failed", "The login failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at := "http://" + l.Addr().String()
			go func() {
				for _, wrong := range []string{"/callback?code=evil", "/callback?code=evil&state=", "/callback?code=evil&state=other", "/?code=evil&state=mine", "/callback?error=x"} {
					if status, _ := bring(t, at+wrong); status != http.StatusBadRequest {
						t.Errorf("%s = %d", wrong, status)
					}
				}
				if status, page := bring(t, at+"/callback?state=mine&"+c.query); status != 200 || !strings.Contains(page, c.page) {
					t.Errorf("%d %s", status, page)
				}
			}()
			code, err := waitForBrowser(t.Context(), l, "mine")
			if code != c.code || (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("waitForBrowser = %q, %v", code, err)
			}
			if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
				t.Error("the listener is still open")
			}
		})
	}
	t.Run("an interrupted command ends", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if code, err := waitForBrowser(ctx, l, "mine"); code != "" || err == nil {
			t.Errorf("%q, %v", code, err)
		}
	})
}
