package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// waitTime is the maximum wait of a POST for the end of its execution.
const waitTime = 30 * time.Second

// target is the control bus, with the one request that all connections send.
type target struct {
	address string
	request []byte
}

func newTarget(u *url.URL, token, app, job string) *target {
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	path := fmt.Sprintf("%s/%s/job/%s/executions?wait=%s", strings.TrimRight(u.EscapedPath(), "/"), app, job, waitTime)
	authorization := ""
	if token != "" {
		authorization = "Authorization: Bearer " + token + "\r\n"
	}
	return &target{address, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n%sAccept: application/json\r\nContent-Length: 0\r\n\r\n", path, u.Host, authorization)}
}

// conn is one persistent connection. It supports only the part of HTTP/1.1 (RFC
// 9112) that our own server uses: sequential answers with a length or in
// chunks.
type conn struct {
	target *target
	c      net.Conn
	r      *bufio.Reader
	body   bytes.Buffer
	ctx    context.Context // its end ends the current request
	forget func() bool     // stops watching ctx
}

func (t *target) dialBus(ctx context.Context) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	forget := context.AfterFunc(ctx, func() { _ = c.Close() }) // this ends reads and writes
	return &conn{target: t, c: c, r: bufio.NewReader(c), ctx: ctx, forget: forget}, nil
}

func (c *conn) closeConn() {
	c.forget()
	_ = c.c.Close() // no request is open
}

// refusedError is the error of an execution that was refused or did not
// complete.
type refusedError struct{ reason string }

func (r *refusedError) Error() string { return r.reason }

// completed is the part of an answer that shows that the execution has
// completed.
var completed = []byte(`"batch_status":"completed"`)

// executeJob starts an execution and waits for its recorded end. The error is a
// [refusedError], or the error of the connection's context, or a failure after
// which the connection cannot be used again.
func (c *conn) executeJob() error {
	err := c.sendRequest()
	if end := c.ctx.Err(); err != nil && end != nil {
		return end
	}
	return err
}

func (c *conn) sendRequest() error {
	if err := c.c.SetDeadline(time.Now().Add(waitTime + 10*time.Second)); err != nil {
		return err
	}
	if _, err := c.c.Write(c.target.request); err != nil {
		return err
	}
	status, err := c.readAnswer()
	switch {
	case err != nil:
		return fmt.Errorf("read the answer of %s: %w", c.target.address, err)
	case status != 201:
		return &refusedError{fmt.Sprintf("%d: %.200s", status, c.body.Bytes())}
	case !bytes.Contains(c.body.Bytes(), completed):
		return &refusedError{fmt.Sprintf("the execution did not complete: %.400s", c.body.Bytes())}
	}
	return nil
}

// readAnswer reads one answer, with its body into c.body.
func (c *conn) readAnswer() (status int, err error) {
	line, err := c.readLine()
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 201") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("want an answer in HTTP/1.1, got %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("want an HTTP status, got %.40q", line)
	}
	length, chunked := int64(0), false
	for {
		if line, err = c.readLine(); err != nil || len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case equalHeader(name, "Content-Length"):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return 0, fmt.Errorf("Content-Length: want a number of bytes, got %.40q", value)
			}
		case equalHeader(name, "Transfer-Encoding"):
			chunked = equalHeader(value, "chunked")
		case equalHeader(name, "Connection") && equalHeader(value, "close"):
			return 0, errors.New("the server closes the connection")
		}
	}
	if err != nil {
		return 0, err
	}
	c.body.Reset()
	if chunked {
		return status, c.readChunks()
	}
	_, err = io.CopyN(&c.body, c.r, length)
	return status, err
}

// readChunks reads a chunked body (RFC 9112 section 7.1), without trailers.
func (c *conn) readChunks() error {
	for {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(line), 16, 32)
		if err != nil {
			return fmt.Errorf("want the length of a chunk, got %.40q", line)
		}
		if _, err := io.CopyN(&c.body, c.r, n); err != nil {
			return err
		}
		if _, err := c.readLine(); err != nil || n == 0 {
			return err
		}
	}
}

// readLine returns a line without its end. The line is valid until the next
// read.
func (c *conn) readLine() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// equalHeader compares the name of a header, ignoring case.
func equalHeader(b []byte, name string) bool {
	return len(b) == len(name) && textproto.CanonicalMIMEHeaderKey(string(b)) == textproto.CanonicalMIMEHeaderKey(name)
}
