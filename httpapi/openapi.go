package httpapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// apiConfig is huma with our formats, and without what it adds to answers by
// itself.
func apiConfig(version string) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[subjects.Time](), reflect.TypeFor[time.Time]())
	registry.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[definition]())
	registry.RegisterTypeAlias(reflect.TypeFor[jsl.Job](), reflect.TypeFor[definition]())
	registry.RegisterTypeAlias(reflect.TypeFor[jobFile](), reflect.TypeFor[definition]())
	registry.RegisterTypeAlias(reflect.TypeFor[sentJob](), reflect.TypeFor[definition]())
	registry.RegisterTypeAlias(reflect.TypeFor[newApp](), reflect.TypeFor[rest.App]())
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "JobStreamer control bus", Version: version,
				Description: "Dispatches batch jobs (JSR-352) to agents. Times are RFC 3339 in UTC with milliseconds. " +
					"Every error is a problem (RFC 9457) with a stable code.",
			},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "A token of POST /auth, or a key of a user. Nothing is asked for unless the control bus runs with --login."},
				"cookie": {Type: "apiKey", In: "cookie", Name: v1.SessionCookie, Description: "The session of POST /auth."},
			}},
		},
		Formats: map[string]huma.Format{}, DefaultFormat: codec.Formats[0].Media, NoFormatFallback: true,
	}
	c.AllowAdditionalPropertiesByDefault = true // a later version may answer with more; what we read is closed in [body]
	for i := range codec.Formats {
		c.Formats[codec.Formats[i].Media] = huma.Format{Marshal: codec.Formats[i].Write}
		if _, shared := c.Formats[codec.Formats[i].Problem]; !shared { // XML has that of JSON
			c.Formats[codec.Formats[i].Problem] = huma.Format{Marshal: codec.Formats[i].Write}
		}
	}
	return c
}

// document is the OpenAPI document of all routes that were added.
func document(api huma.API) []byte {
	doc := api.OpenAPI()
	for _, schema := range doc.Components.Schemas.Map() {
		for name, p := range schema.Properties {
			if slices.Contains(orNull, name) && p.Ref != "" {
				schema.Properties[name] = &huma.Schema{
					Description: p.Description,
					AnyOf:       []*huma.Schema{{Ref: p.Ref}, {Type: "null"}},
				}
			}
		}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // a type of ours that cannot be described: every test would fail
	}
	return b
}

// orNull are the members that are an object or null; huma can say that of
// values only.
var orNull = []string{"schedule", "next_execution", "latest_execution", "agent", "time_monitor"}

// definition describes a job definition. What is valid within the elements is
// more than a schema can say: package jsl judges it.
type definition struct{}

// Schema is the job language in outline.
func (definition) Schema(huma.Registry) *huma.Schema {
	name := func(doc string) *huma.Schema {
		return &huma.Schema{Type: "string", Pattern: subjects.NamePattern, Description: doc}
	}
	switchable := func(doc string) *huma.Schema { return &huma.Schema{Type: "boolean", Description: doc} }
	objects := func(doc string) *huma.Schema {
		return &huma.Schema{Type: "array", Items: &huma.Schema{Type: "object"}, Description: doc}
	}
	beside := func(doc string, types ...string) *huma.Schema {
		s := &huma.Schema{Description: doc}
		for _, t := range types {
			s.AnyOf = append(s.AnyOf, &huma.Schema{Type: t})
		}
		return s
	}
	one := 1
	steps := objects("What has steps is a flow, flows a split, decision a decision; anything else is a step, with a batchlet, a chunk or neither. " +
		"In place of a batchlet a step may have a command for a shell, a string: the answer has the " + jsl.ShellBatchlet + " with the property command that it stands for.")
	steps.MinItems = &one
	return &huma.Schema{
		Type: "object", Required: []string{"id", "steps"}, AdditionalProperties: false,
		Description: "A job in the job language of JSR-352. The names are those of its XML with _ for -.",
		Properties: map[string]*huma.Schema{
			"id":    {Type: "string", Description: "The job's name: " + jsl.WantID + "."},
			"steps": steps,
			"restartable": {
				Description: "Default true.",
				AnyOf:       []*huma.Schema{{Type: "boolean"}, {Type: "string"}},
			},
			"properties":    {Type: "object", AdditionalProperties: true},
			"listeners":     objects("Artifacts: ref, properties."),
			"exclusive":     switchable("One execution at a time."),
			"pool":          name("The pool of agents that may run it."),
			"priority":      {Type: "string", Enum: []any{"high", "normal", "low"}},
			"on_agent_lost": {Type: "string", Enum: []any{"failed", "requeue"}},
			"log":           {Type: "string", Enum: []any{"complete", "lossy"}, Description: "Default complete: a job that writes faster than its lines can be stored waits."},
			"max_attempts":  {Type: "integer", Description: "With requeue: how often it is tried in all."},
			"namespace":     {Type: "string", Enum: []any{"javaee", "jakartaee"}, Description: "Of its XML. Default javaee."},

			"schedule":             beside("Of a job's file: as PUT .../schedule takes it, and active. Without it the schedule stays; null removes it.", "object", "null"),
			"time_monitor":         beside("Of a job's file: as PUT .../settings/time-monitor takes it. Without it that stays; null removes it.", "object", "null"),
			"status_notifications": beside("Of a job's file: as PUT .../settings/status-notification takes each. Without them they stay.", "array", "null"),
		},
		Examples: []any{map[string]any{
			"id": "JOB-1",
			"steps": []any{map[string]any{
				"id":       "STEP-1",
				"batchlet": map[string]any{"ref": "example.Batchlet", "properties": map[string]any{"k": "v"}},
			}},
		}},
	}
}
