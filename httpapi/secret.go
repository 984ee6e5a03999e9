package httpapi

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// SecretPath is a secret of an application in a path.
type SecretPath struct {
	App  string `path:"app" doc:"Name of the application."`
	Name string `path:"name" doc:"Name of the secret: 1 to 128 characters from A-Z a-z 0-9 _, no digit at the beginning. Processes have it as the name of a variable."`
}

// Resolve refuses names that become no part of a key.
func (p *SecretPath) Resolve(huma.Context) []error {
	if !subjects.ValidName(p.App) {
		return []error{noApp(p.App)}
	}
	if !subjects.ValidSecretName(p.Name) {
		return []error{codec.ParameterFault("name", wantSecretName, codec.Cut(p.Name))}
	}
	return nil
}

const wantSecretName = "1 to 128 characters from A-Z a-z 0-9 _, no digit at the beginning"

// newSecret is a body with the value of a secret.
type newSecret rest.NewSecret

func (*newSecret) holdsSecret() {}

// maxBytes is the limit of a body whose value has only characters that JSON
// writes as \u and four digits.
func (*newSecret) maxBytes() int64 { return 6*subjects.MaxSecret + 4<<10 }

// Validate returns what is wrong with the value.
func (sent *newSecret) Validate() (wrong codec.Faults) {
	if err := subjects.CheckSecret(sent.Value); err != nil {
		addUnless(&wrong, false, "value", strings.TrimPrefix(err.Error(), "want "), "")
	}
	return wrong
}

type listSecrets struct {
	AppPath
	Page
}

func (s *Server) listSecrets(ctx context.Context, in *listSecrets) (*answer[rest.All[rest.Secret]], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	all, err := s.cfg.Secrets.List(ctx, in.App)
	if err != nil {
		return nil, err
	}
	shown := cutPage(in.Page, all, func(i *secrets.Info) string { return i.Name }, strings.Compare)
	results := []rest.Secret{}
	for i := range shown.items {
		results = append(results, shownSecret(&shown.items[i]))
	}
	return allOf(shown.part, results), nil
}

// shownSecret returns a secret as answers show it: without its value.
func shownSecret(i *secrets.Info) rest.Secret {
	return rest.Secret{Name: i.Name, KeyID: i.KeyID, SetBy: i.SetBy, CreateTime: i.CreateTime, LastUpdatedTime: i.UpdateTime}
}

type putSecret struct {
	SecretPath
	Sent body[newSecret]
}

// savedSecret is the answer to a PUT of a secret.
type savedSecret struct {
	Status int
	Body   rest.Secret
}

func (s *Server) putSecret(ctx context.Context, in *putSecret) (*savedSecret, error) {
	i, created, err := s.cfg.Secrets.Set(ctx, in.App, in.Name, in.Sent.value.Value, senderID(ctx))
	if err != nil {
		return nil, err
	}
	return &savedSecret{putStatus(created), shownSecret(&i)}, nil
}

func (s *Server) deleteSecret(ctx context.Context, in *SecretPath) (*struct{}, error) {
	return nil, s.cfg.Secrets.Delete(ctx, in.App, in.Name)
}
