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
	Name   string `json:"name"` // file name, such as orders-1.2.jar
	SHA256 string `json:"sha256"`
}

// Artifact is a jar of a class path.
type Artifact struct {
	ArtifactRef
	Size    int64  `json:"size"`             // bytes
	Origin  string `json:"origin,omitempty"` // URL that the jar was read from; empty for an upload
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
	Components int // number found, without the built-in ones
	Classes    int // number read
	Warnings   []string
	CreateTime subjects.Time
}

// manifest is the stored description of a class path: its jars and the result
// of their scan.
type manifest struct {
	Artifacts  []Artifact  `json:"artifacts"`
	Components []Component `json:"components"`
	Classes    int         `json:"classes"`
	Warnings   []string    `json:"warnings,omitempty"`
}

func (m *manifest) classpathEntries() []string {
	var all []string
	for _, a := range m.Artifacts {
		all = append(all, cmp.Or(a.Origin, a.Name))
	}
	return all
}

// revision is a class path as stored: the record and its decoded manifest.
type revision struct {
	bus.Revision
	manifest manifest
}

func (r *revision) toDeployment(current int) *Deployment {
	return &Deployment{
		App: r.App, Revision: r.Number, Current: r.Number == current, CreateTime: r.CreateTime,
		Artifacts: r.manifest.Artifacts, Components: len(r.manifest.Components), Classes: r.manifest.Classes, Warnings: r.manifest.Warnings,
	}
}

// maxInline is the largest manifest, in bytes, that is stored inside a record.
// A NATS server may accept messages of 1 MiB at most, and listing an
// application's revisions reads ten records.
const maxInline = 64 << 10

// Types of objects, in their metadata.
const (
	typeKey      = "type"
	typeJar      = "jar"
	typeManifest = "manifest"
)

// packManifest puts the manifest into the record, or into an object that the
// record names. It then decodes the encoded form again, so that memory and
// store hold the same values: names inside jars may be invalid UTF-8, which
// JSON replaces.
func (d *Deployer) packManifest(ctx context.Context, r *revision) error {
	data, err := json.Marshal(&r.manifest)
	if err != nil {
		return fmt.Errorf("encode the manifest of %s: %w", r.App, err)
	}
	r.manifest = manifest{}
	if err := json.Unmarshal(data, &r.manifest); err != nil {
		return fmt.Errorf("decode the manifest of %s: %w", r.App, err)
	}
	if len(data) <= maxInline {
		r.Manifest = data
		return nil
	}
	sum := sha256.Sum256(data)
	r.Object = hex.EncodeToString(sum[:])
	meta := jetstream.ObjectMeta{
		Name: r.Object, Description: "manifest of the class path of " + r.App,
		Metadata: map[string]string{typeKey: typeManifest},
	}
	_, _, err = d.objects.Create(ctx, meta, bytes.NewReader(data))
	return err
}

// unpackRevision returns the revision of a record, with its decoded manifest.
func (d *Deployer) unpackRevision(ctx context.Context, rec *bus.Revision) (*revision, error) {
	r := &revision{Revision: *rec}
	if r.Object == "" {
		err := json.Unmarshal(r.Manifest, &r.manifest)
		return r, wrapError(err, "read revision %d of %s", r.Number, r.App)
	}
	in, _, err := d.objects.Open(ctx, r.Object)
	if err == nil {
		defer in.Close()
		err = readJSON(in, &r.manifest)
	}
	return r, wrapError(err, "read revision %d of %s", r.Number, r.App)
}
