package senders

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	netmail "net/mail"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// settings are those of one sender in the file. Which ones apply depends on
// kind.
type settings struct {
	Kind         string   `yaml:"kind"`
	URL          string   `yaml:"url"`
	URLFile      string   `yaml:"url-file"`
	Header       string   `yaml:"header"`
	SecretFile   string   `yaml:"secret-file"`
	CAFile       string   `yaml:"ca-file"`
	Server       string   `yaml:"server"`
	TLS          string   `yaml:"tls"`
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password-file"`
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
	AllowTo      []string `yaml:"allow-to"`
	HELO         string   `yaml:"helo"`
}

var (
	validName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	validHeader = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// maxSecret is the maximum size of a file with a secret, in bytes.
const maxSecret = 16 << 10

// Load reads the senders of a file. Paths in it are relative to its folder. The
// secrets that it names are read too, so that a missing one is found at the
// start; secrets returns their files.
func Load(file string) (set Set, secrets []string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var all map[string]settings
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	set = Set{}
	for name, s := range all {
		if !validName.MatchString(name) || name == "healthcheck" {
			return nil, nil, fmt.Errorf("%s: %q: want a name of 1 to 64 characters from A-Z a-z 0-9 _ -", file, name)
		}
		l := loader{dir: filepath.Dir(file), settings: s}
		if set[name], err = l.load(); err != nil {
			return nil, nil, fmt.Errorf("%s: %s: %w", file, name, err)
		}
		secrets = append(secrets, l.secrets...)
	}
	slices.Sort(secrets)
	return set, slices.Compact(secrets), nil
}

// loader makes one sender.
type loader struct {
	settings
	dir     string
	secrets []string // files that were read
}

func (l *loader) load() (Sender, error) {
	switch l.Kind {
	case "webhook":
		if err := l.allowOnly("url", "header", "secret-file", "ca-file"); err != nil {
			return nil, err
		}
		return l.loadWebhook()
	case "slack":
		if err := l.allowOnly("url-file", "ca-file"); err != nil {
			return nil, err
		}
		return l.loadSlack()
	case "mail":
		if err := l.allowOnly("server", "tls", "user", "password-file", "from", "to", "allow-to", "helo", "ca-file"); err != nil {
			return nil, err
		}
		return l.loadMail()
	}
	return nil, fmt.Errorf("kind: want webhook, slack or mail, not %q", l.Kind)
}

// allowOnly refuses settings that do not belong to the kind of the sender.
func (l *loader) allowOnly(names ...string) error {
	for _, s := range []struct {
		name  string
		given bool
	}{
		{"url", l.URL != ""}, {"url-file", l.URLFile != ""}, {"header", l.Header != ""}, {"secret-file", l.SecretFile != ""},
		{"ca-file", l.CAFile != ""}, {"server", l.Server != ""}, {"tls", l.TLS != ""}, {"user", l.User != ""},
		{"password-file", l.PasswordFile != ""}, {"from", l.From != ""}, {"to", l.To != nil}, {"allow-to", l.AllowTo != nil}, {"helo", l.HELO != ""},
	} {
		if s.given && !slices.Contains(names, s.name) {
			return fmt.Errorf("%s: a sender of kind %s has %s", s.name, l.Kind, strings.Join(names, ", "))
		}
	}
	return nil
}

func (l *loader) loadWebhook() (Sender, error) {
	u, err := parseTarget(l.URL)
	if err != nil {
		return nil, errors.New("url: " + err.Error())
	}
	if u.User != nil {
		return nil, errors.New("url: want no user and password in it; use header: Authorization and secret-file")
	}
	if (l.Header == "") != (l.SecretFile == "") {
		return nil, errors.New("header: want header and secret-file together")
	}
	w := &webhook{url: u.String(), host: u.Host, header: l.Header}
	if l.Header != "" {
		if !validHeader.MatchString(l.Header) {
			return nil, fmt.Errorf("header: want a name such as Authorization, not %q", l.Header)
		}
		if w.secret, err = l.openSecret("secret-file", l.SecretFile); err != nil {
			return nil, err
		}
	}
	w.client, err = l.newHTTPClient()
	return w, err
}

func (l *loader) loadSlack() (Sender, error) {
	file, err := l.openSecret("url-file", l.URLFile)
	if err != nil {
		return nil, err
	}
	at, err := file.read()
	if err != nil {
		return nil, err
	}
	u, err := parseTarget(at)
	if err != nil {
		return nil, errors.New("url-file: " + err.Error())
	}
	s := &slack{url: file, host: u.Host}
	s.client, err = l.newHTTPClient()
	return s, err
}

func (l *loader) loadMail() (Sender, error) {
	s := &mailer{tls: cmp.Or(l.TLS, tlsStart), user: l.User, from: l.From, to: l.To, allowTo: l.AllowTo, clientName: l.HELO}
	defaultPort, ok := map[string]int{tlsStart: 587, tlsFull: 465, tlsNone: 25}[s.tls]
	if !ok {
		return nil, fmt.Errorf("tls: want starttls, tls or none, not %q", l.TLS)
	}
	if err := s.setServer(l.Server, defaultPort); err != nil {
		return nil, err
	}
	if s.tls == tlsNone && !isLoopback(s.host) {
		return nil, fmt.Errorf("tls: want starttls or tls: without TLS, mail goes to a server on this machine only, such as 127.0.0.1, not to %s", s.host)
	}
	if (l.User == "") != (l.PasswordFile == "") {
		return nil, errors.New("user: want user and password-file together")
	}
	if err := s.checkAddresses(); err != nil {
		return nil, err
	}
	var err error
	if l.User != "" {
		if s.password, err = l.openSecret("password-file", l.PasswordFile); err != nil {
			return nil, err
		}
	}
	s.tlsConfig, err = l.newTLS(s.host)
	return s, err
}

func (s *mailer) setServer(server string, defaultPort int) (err error) {
	s.host, s.port = server, defaultPort
	if host, port, split := net.SplitHostPort(server); split == nil {
		s.host = host
		if s.port, err = strconv.Atoi(port); err != nil || s.port < 1 || s.port > 65535 {
			return fmt.Errorf("server: want a port from 1 to 65535, not %q", port)
		}
	}
	if s.host == "" || strings.ContainsAny(s.host, "/@ ") {
		return fmt.Errorf("server: want HOST or HOST:PORT of a mail server, not %q", server)
	}
	return nil
}

func (s *mailer) checkAddresses() error {
	if _, err := netmail.ParseAddress(s.from); err != nil {
		return fmt.Errorf("from: want a mail address, not %q", s.from)
	}
	for _, to := range s.to {
		if _, err := netmail.ParseAddress(to); err != nil {
			return fmt.Errorf("to: want mail addresses, not %q", to)
		}
	}
	for _, pattern := range s.allowTo {
		if _, err := path.Match(pattern, "a@b"); err != nil || !strings.Contains(pattern, "@") {
			return fmt.Errorf("allow-to: want patterns such as *@example.com, not %q", pattern)
		}
	}
	if len(s.to)+len(s.allowTo) == 0 {
		return errors.New("to: want at least one address here or a pattern in allow-to")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newHTTPClient returns a client that follows no redirects: a redirected POST
// would become a GET, maybe to another host.
func (l *loader) newHTTPClient() (*http.Client, error) {
	config, err := l.newTLS("")
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig, t.MaxIdleConnsPerHost, t.IdleConnTimeout = config, 2, 30*time.Second
	return &http.Client{
		Transport: t, Timeout: httpTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// newTLS returns the settings of TLS for a server.
func (l *loader) newTLS(server string) (*tls.Config, error) {
	config := &tls.Config{ServerName: server, MinVersion: tls.VersionTLS12}
	if l.CAFile == "" {
		return config, nil
	}
	text, err := os.ReadFile(l.resolve(l.CAFile))
	if err != nil {
		return nil, fmt.Errorf("ca-file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca-file: %s: want certificates in PEM", l.CAFile)
	}
	return config, nil
}

func (l *loader) resolve(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(l.dir, file)
}

// openSecret returns a file with a secret that can be read.
func (l *loader) openSecret(setting, file string) (secretFile, error) {
	if file == "" {
		return secretFile{}, fmt.Errorf("%s: want the name of a file", setting)
	}
	s := secretFile{setting, l.resolve(file)}
	_, err := s.read()
	l.secrets = append(l.secrets, s.path)
	return s, err
}

// secretFile is a file with a secret of one line.
type secretFile struct{ setting, path string }

// read reads the secret. Its error does not contain it.
func (f secretFile) read() (string, error) {
	is, err := os.Stat(f.path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.setting, err)
	}
	if is.Size() > maxSecret || !is.Mode().IsRegular() {
		return "", fmt.Errorf("%s: %s: want a file with a secret of one line", f.setting, f.path)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.setting, err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s: %s: want one line that is the secret", f.setting, f.path)
	}
	return secret, nil
}
