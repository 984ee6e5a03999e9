package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// newKey is a body with the limits of a key to be created.
type newKey rest.NewKey

// Validate returns all that is wrong with the limits.
func (k *newKey) Validate() (all codec.Faults) {
	if tooLong := k.TTL > int64(login.MaxKeyTTL/time.Second); tooLong || k.TTL < 0 { // else it may overflow
		k.TTL = -1
	}
	limits := k.limits()
	for _, fault := range limits.Check() {
		addUnless(&all, false, strings.TrimPrefix(fault.Path, "/"), fault.Want, "")
	}
	return all
}

func (k *newKey) limits() login.KeyLimits {
	return login.KeyLimits{Name: k.Name, Apps: k.Apps, Role: k.Role, TTL: time.Duration(k.TTL) * time.Second}
}

func keyInfoOf(k *bus.Key) rest.KeyInfo {
	return rest.KeyInfo{Name: k.ShownName(), Apps: append([]string{}, k.Apps...), Role: k.Role, CreateTime: k.CreateTime, ExpireTime: k.ExpireTime}
}

type postKey struct {
	UserPath
	Sent body[newKey]
}

type keyMade struct {
	Cache string `header:"Cache-Control"`
	Body  rest.Key
}

func (s *Server) postKey(ctx context.Context, in *postKey) (*keyMade, error) {
	key, stored, err := s.cfg.Logins.NewKey(ctx, in.ID, in.Sent.value.limits())
	if err != nil {
		return nil, err
	}
	noteObject(ctx, in.ID+"/"+stored.ShownName())
	return &keyMade{"no-store", rest.Key{Key: key, KeyInfo: keyInfoOf(&stored)}}, nil
}

type listKeys struct {
	UserPath
	Page
}

func (s *Server) listKeys(_ context.Context, in *listKeys) (*answer[rest.All[rest.KeyInfo]], error) {
	keys, err := s.cfg.Logins.Keys(in.ID)
	if err != nil {
		return nil, err
	}
	shown := cutPage(in.Page, keys, (*bus.Key).ShownName, nil)
	results := []rest.KeyInfo{}
	for i := range shown.items {
		results = append(results, keyInfoOf(&shown.items[i]))
	}
	return allOf(shown.part, results), nil
}

type keyPath struct {
	UserPath
	Name string `path:"name" doc:"Name of the key."`
}

func (s *Server) deleteKey(ctx context.Context, in *keyPath) (*struct{}, error) {
	return nil, s.cfg.Logins.RevokeKey(ctx, in.ID, in.Name)
}

func (s *Server) deleteKeys(ctx context.Context, in *UserPath) (*struct{}, error) {
	return nil, s.cfg.Logins.RevokeKeys(ctx, in.ID)
}
