package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// As returns a client of the same control bus that asks for answers of a media
// type and copies them to w. The results of its methods are empty; errors are
// the same as before.
func (c *Client) As(media string, w io.Writer) *Client {
	as := *c
	as.media, as.to = media, w
	return &as
}

// readAnswer reads an answer into v, or copies it.
func (c *Client) readAnswer(res *http.Response, v any) error {
	if c.to != nil {
		_, err := io.Copy(c.to, res.Body)
		return err
	}
	if v != nil {
		if err := json.NewDecoder(res.Body).Decode(v); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, res.Body) // so that the connection can be used again
	return err
}

// problemOf returns the error that an answer stands for. The answer may come
// from a proxy.
func problemOf(res *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	p := &Problem{}
	if err == nil && readProblem(res.Header.Get("Content-Type"), data, p) == nil && p.Code != "" {
		if p.Status == 0 {
			p.Status, p.Title = res.StatusCode, http.StatusText(res.StatusCode)
		}
		return p
	}
	text := strings.TrimSpace(string(data[:min(len(data), maxError)]))
	return fmt.Errorf("%s: %q", res.Status, text)
}

// readProblem reads a problem in the format of the answer.
func readProblem(media string, data []byte, p *Problem) error {
	var err error
	switch {
	case strings.HasPrefix(media, "application/yaml"):
		data, err = jsl.ToJSON(jsl.YAML, data)
	case strings.HasPrefix(media, "application/edn"):
		return readEDNProblem(data, p)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, p)
}

// readEDNProblem reads a problem as v1 clients get it, which holds less.
func readEDNProblem(data []byte, p *Problem) error {
	data, err := jsl.ToJSON(jsl.EDN, data)
	if err != nil {
		return err
	}
	var said struct {
		Message     string `json:"message"`
		Code        string `json:"code"`
		ExecutionID int64  `json:"execution-id"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return err
	}
	p.Detail, p.Code, p.ExecutionID = said.Message, said.Code, said.ExecutionID
	return nil
}
