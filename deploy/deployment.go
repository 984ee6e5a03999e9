package deploy

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ArtifactRef names a stored jar.
type ArtifactRef struct {
	Name   string `json:"name"` // the file's, such as orders-1.2.jar
	SHA256 string `json:"sha256"`
}

// Artifact is a jar of a class path.
type Artifact struct {
	ArtifactRef
	Size    int64  `json:"size"`             // bytes
	Origin  string `json:"origin,omitempty"` // the URL that it was read from; empty for an upload
	Group   string `json:"group_id,omitempty"`
	ID      string `json:"artifact_id,omitempty"`
	Version string `json:"version,omitempty"`
}

// Deployment is a revision of an application.
type Deployment struct {
	App        string
	Revision   int // from 1
	Current    bool
	Artifacts  []Artifact
	Components int // how many were found, without the built-in ones
	Classes    int // how many were read
	Warnings   []string
	CreateTime subjects.Time
}

// manifest is what is kept of a class path.
type manifest struct {
	Artifacts  []Artifact  `json:"artifacts"`
	Components []Component `json:"components"`
	Classes    int         `json:"classes"`
	Warnings   []string    `json:"warnings,omitempty"`
}

func (m *manifest) classpath() []string {
	var all []string
	for _, a := range m.Artifacts {
		all = append(all, cmp.Or(a.Origin, a.Name))
	}
	return all
}

// revision is a stored class path.
type revision struct {
	bus.Revision
	manifest manifest
}

func (r *revision) deployment(current int) *Deployment {
	return &Deployment{
		App: r.App, Revision: r.Number, Current: r.Number == current, CreateTime: r.CreateTime,
		Artifacts: r.manifest.Artifacts, Components: len(r.manifest.Components), Classes: r.manifest.Classes, Warnings: r.manifest.Warnings,
	}
}

// maxInline is how large a manifest in a record may be, in bytes. NATS servers
// of others may take messages of 1 MiB at most, and ten records are read to
// list an application's revisions.
const maxInline = 64 << 10

// Types of objects, in their metadata.
const (
	typeKey      = "type"
	typeJar      = "jar"
	typeManifest = "manifest"
)

// pack puts the manifest into the record, or into an object that the record
// names. What is in memory then is what is stored: names in jars, which
// strangers chose, may be no UTF-8, and JSON has none of that.
func (d *Deployer) pack(ctx context.Context, r *revision) error {
	data, err := json.Marshal(&r.manifest)
	if err != nil {
		return fmt.Errorf("encode what %s has: %w", r.App, err)
	}
	r.manifest = manifest{}
	if err := json.Unmarshal(data, &r.manifest); err != nil {
		return fmt.Errorf("read again what %s has: %w", r.App, err)
	}
	if len(data) <= maxInline {
		r.Manifest = data
		return nil
	}
	sum := sha256.Sum256(data)
	r.Object = hex.EncodeToString(sum[:])
	meta := jetstream.ObjectMeta{
		Name: r.Object, Description: "what the class path of " + r.App + " has",
		Metadata: map[string]string{typeKey: typeManifest},
	}
	_, _, err = d.objects.Create(ctx, meta, bytes.NewReader(data))
	return err
}

// unpack reads the manifest of a record.
func (d *Deployer) unpack(ctx context.Context, rec *bus.Revision) (*revision, error) {
	r := &revision{Revision: *rec}
	if r.Object == "" {
		err := json.Unmarshal(r.Manifest, &r.manifest)
		return r, wrap(err, "read revision %d of %s", r.Number, r.App)
	}
	in, _, err := d.objects.Open(ctx, r.Object)
	if err == nil {
		defer in.Close()
		err = readJSON(in, &r.manifest)
	}
	return r, wrap(err, "read revision %d of %s", r.Number, r.App)
}
