package agent_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// A batchlet reads a secret of its application. What it logs and returns later
// has *** in its place. A unit test brings the secrets itself.
func ExampleStepContext_Secret() {
	load := func(ctx context.Context, s *agent.StepContext) (string, error) {
		password, err := s.Secret(ctx, "DB_PASSWORD")
		if err != nil {
			return "", err
		}
		return "LOADED by shop:" + password, nil
	}
	s := agent.NewStepContext(nil, nil)
	s.Secrets = agent.NewSecrets("shop", func(context.Context, []string) (map[string]string, error) {
		return map[string]string{"DB_PASSWORD": "correct horse"}, nil
	})
	exitStatus, err := load(context.Background(), s)
	fmt.Println(exitStatus, err)
	fmt.Println(s.Secrets.Redact(exitStatus)) // what the control bus gets

	s.Secrets = agent.NewSecrets("shop", func(_ context.Context, names []string) (map[string]string, error) {
		return nil, &agent.MissingSecretsError{App: "shop", Names: names}
	})
	_, err = load(context.Background(), s)
	missing, ok := errors.AsType[*agent.MissingSecretsError](err)
	fmt.Printf("%v\n%v\n", ok, missing)
	// Output:
	// LOADED by shop:correct horse <nil>
	// LOADED by shop:***
	// true
	// the application shop has no secret DB_PASSWORD: jobstreamer secret set DB_PASSWORD --app shop
}
