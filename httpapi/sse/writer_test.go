package sse

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A client that does not read is dropped.
func TestSlowReader(t *testing.T) {
	failed := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := newWriter(w, 200*time.Millisecond)
		for range 1 << 20 { // more than any buffer holds
			if err := text.sendEvent(1, "", strings.Repeat("x", 1000)); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}))
	defer s.Close()
	res, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("all was written to someone who reads nothing")
		}
	case <-time.After(10 * time.Second):
		t.Error("still writing after 10 s")
	}
}
