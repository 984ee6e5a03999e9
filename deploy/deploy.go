package deploy

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/deploy/classfile"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Deploy deploys a class path of jars that are stored: all of it, in its order.
// If some are not, the error is a [MissingError]; what is no reference at all
// is [Errors], with /artifacts/<index> as its place.
func (d *Deployer) Deploy(ctx context.Context, app string, refs []ArtifactRef) (*Deployment, error) {
	defer thrifty()()
	base, err := d.deployed(ctx, app)
	if err != nil {
		return nil, err
	}
	jars, err := d.resolve(ctx, app, refs)
	if err != nil {
		return nil, err
	}
	return d.deploy(ctx, app, base, jars, nil)
}

// Add deploys the current class path with stored jars added: each in the place
// of an older version of its Maven artifact or, if it is none, of a jar of its
// name. If that changes nothing there is no new revision, and the answer has
// the reasons.
func (d *Deployer) Add(ctx context.Context, app string, refs []ArtifactRef) (*Deployment, error) {
	defer thrifty()()
	added, err := d.resolve(ctx, app, refs)
	if err != nil {
		return nil, err
	}
	for {
		dep, err := d.add(ctx, app, added)
		if !errors.Is(err, errBase) { // another deployment came first: add to that
			return dep, err
		}
	}
}

func (d *Deployer) add(ctx context.Context, app string, added []Artifact) (*Deployment, error) {
	base, err := d.deployed(ctx, app)
	if err != nil {
		return nil, err
	}
	base.exact = true
	was := &revision{Revision: bus.Revision{App: app}}
	if base.Value.Current > 0 {
		if was, err = d.read(ctx, app, base.Value.Current); err != nil {
			return nil, err
		}
	}
	all, warnings, changed := merge(was.manifest.Artifacts, added)
	if !changed && base.Value.Current > 0 {
		dep := was.deployment(base.Value.Current)
		dep.Warnings = append(slices.Clip(warnings), dep.Warnings...)
		return dep, nil
	}
	return d.deploy(ctx, app, base, all, warnings)
}

// resolve finds the jars of references, and keeps them from being removed for
// some time.
func (d *Deployer) resolve(ctx context.Context, app string, refs []ArtifactRef) ([]Artifact, error) {
	if err := checkApp(app); err != nil {
		return nil, err
	}
	var wrong Errors
	if len(refs) > maxArtifacts {
		wrong.add("/artifacts", "at most "+strconv.Itoa(maxArtifacts)+" jars", strconv.Itoa(len(refs)))
		return nil, wrong
	}
	refs = slices.Clone(refs)
	for i := range refs {
		place := "/artifacts/" + strconv.Itoa(i)
		checkName(&wrong, place+"/name", refs[i].Name)
		refs[i].SHA256 = checkSHA256(&wrong, place+"/sha256", refs[i].SHA256)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	var all []Artifact
	missing := &MissingError{App: app}
	for _, ref := range refs {
		obj, err := d.jar(ctx, ref.SHA256)
		switch {
		case err == nil:
			all = append(all, artifact(ref.Name, obj))
		case !errors.Is(err, bus.ErrNotFound):
			return nil, err
		case !slices.Contains(missing.SHA256, ref.SHA256):
			missing.SHA256 = append(missing.SHA256, ref.SHA256)
		}
	}
	if len(missing.SHA256) > 0 {
		return nil, missing
	}
	return all, nil
}

func checkName(wrong *Errors, place, name string) {
	if !utf8.ValidString(name) {
		wrong.add(place, "a name in UTF-8", legible(name))
		return
	}
	if name == "" || len(name) > 255 || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		wrong.add(place, "a file name without a folder, of at most 255 bytes", name)
	}
}

func checkSHA256(wrong *Errors, place, sum string) string {
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		wrong.add(place, "a SHA-256 in 64 hex digits", sum)
	}
	return strings.ToLower(sum)
}

// deploy scans a class path and makes it the current revision.
func (d *Deployer) deploy(ctx context.Context, app string, base base, jars []Artifact, warnings []string) (*Deployment, error) {
	jars, told := newest(jars)
	distinct(jars)
	r := &revision{
		Revision: bus.Revision{App: app, CreateTime: subjects.Now()},
		manifest: manifest{Artifacts: jars, Warnings: append(warnings, told...)},
	}
	if err := d.scan(ctx, &r.manifest); err != nil {
		return nil, wrap(err, "deploy %s", app)
	}
	head, err := d.save(ctx, base, r)
	if err != nil {
		return nil, wrap(err, "deploy %s", app)
	}
	d.log.Info("deployed", "app", app, "revision", r.Number, "jars", len(jars), "components", len(r.manifest.Components))
	return r.deployment(head.Current), nil
}

// scan looks for the components of a class path.
func (d *Deployer) scan(ctx context.Context, m *manifest) error {
	select {
	case d.scans <- struct{}{}:
		defer func() { <-d.scans }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var jars []classfile.Jar
	for _, a := range m.Artifacts {
		jars = append(jars, classfile.Jar{Name: a.Name, Open: func() (io.ReaderAt, int64, func() error, error) {
			s, err := d.fetch(ctx, a.SHA256)
			if err != nil {
				return nil, 0, nil, err
			}
			return s, s.size, func() error { s.drop(); return nil }, nil
		}})
	}
	report, err := classfile.Scan(ctx, jars, d.tempDir)
	if err != nil {
		return err
	}
	m.Classes = report.Classes
	for i := range report.Components {
		m.Components = append(m.Components, component(&report.Components[i]))
	}
	for _, w := range report.Warnings {
		m.Warnings = append(m.Warnings, w.String())
	}
	for _, u := range report.Unresolved {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%s is not on the class path, so %s cannot be loaded", u.Class, who(u.By, u.Classes)))
	}
	return nil
}

// who is the first of n classes that need one that is missing.
func who(first string, n int) string {
	if n <= 1 {
		return first
	}
	return fmt.Sprintf("%s (and %d more)", first, n-1)
}

// fetch makes a file of a stored jar.
func (d *Deployer) fetch(ctx context.Context, sum string) (*spooled, error) {
	r, _, err := d.Open(ctx, sum)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return d.spool(func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}
