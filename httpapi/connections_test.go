package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// from is a connection from an address.
type from struct {
	net.Conn
	address string
}

func (f from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.address), Port: 1} }

func TestConnectionsPerAddress(t *testing.T) {
	var log syncBuffer
	inFakeTime(t, func(c *Config) {
		c.TrustedProxies = []string{"10.0.0.0/24"}
		c.MaxConnectionsPerAddress, c.Log = 2, slog.New(slog.NewTextHandler(&log, nil))
	}, func(t *testing.T, p *pipes) {
		var all []net.Conn
		dial := func(address string) net.Conn {
			client, server := net.Pipe()
			p.accepted <- from{server, address}
			all = append(all, client)
			synctest.Wait()
			return client
		}
		defer func() {
			for _, c := range all {
				_ = c.Close()
			}
		}()
		works := func(c net.Conn) bool {
			t.Helper()
			if _, err := io.WriteString(c, "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				return false
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			return err == nil && res.StatusCode == http.StatusOK
		}
		first, second := dial("127.0.0.1"), dial("127.0.0.1")
		for range 1000 {
			if _, err := dial("127.0.0.1").Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatalf("the third connection: %v, want it closed", err)
			}
		}
		if n := strings.Count(log.String(), "connections refused"); n != 1 {
			t.Errorf("%d lines in the log, want 1: %s", n, log.String())
		}
		for _, address := range []string{"127.0.0.2", "127.66.5.4", "::1", "::ffff:127.0.0.1"} {
			if works(dial(address)) {
				t.Errorf("a third connection works, from the loopback address %s", address)
			}
		}
		if !works(first) || !works(second) || !works(dial("192.0.2.2")) {
			t.Error("connections within the limit do not work")
		}
		for range 2 {
			if !works(dial("2001:db8::1")) {
				t.Error("connections of an IPv6 network within the limit do not work")
			}
		}
		if works(dial("2001:db8::2")) {
			t.Error("a third connection of an IPv6 network works")
		}
		if !works(dial("2001:db8:0:1::1")) {
			t.Error("a connection of another IPv6 network does not work")
		}
		for range 5 {
			if !works(dial("10.0.0.7")) || !works(dial("::ffff:10.0.0.7")) {
				t.Error("connections of a trusted proxy are limited")
			}
		}
		_ = first.Close()
		synctest.Wait()
		if !works(dial("127.0.0.1")) {
			t.Error("a connection after another was closed does not work")
		}
		time.Sleep(time.Minute)
		_ = dial("127.0.0.1")
		if !strings.Contains(log.String(), "refused=1005") {
			t.Errorf("the log does not count what was refused meanwhile: %s", log.String())
		}
	})
}

// A real listener closes what is beyond the limit, too.
func TestConnectionsOfSockets(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- mustNew(Config{MaxConnectionsPerAddress: 3}).Serve(ctx, l) }()
	var closed []byte
	for i := range 4 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i == 3 {
			closed, err = io.ReadAll(c)
			if err != nil || len(closed) > 0 {
				t.Errorf("the fourth connection: %q, %v, want it closed", closed, err)
			}
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
