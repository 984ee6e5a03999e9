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

// Deploy deploys a class path of stored jars, in the given order. It returns a
// [MissingError] if some jars are not stored, and [Errors] with pointers
// /artifacts/<index> if some references are malformed.
func (d *Deployer) Deploy(ctx context.Context, app string, refs []ArtifactRef) (*Deployment, error) {
	defer collectEarly()()
	base, err := d.readDeployed(ctx, app)
	if err != nil {
		return nil, err
	}
	jars, err := d.resolveRefs(ctx, app, refs)
	if err != nil {
		return nil, err
	}
	return d.deployJars(ctx, app, base, jars, nil)
}

// Add deploys the current class path plus stored jars. A jar replaces an older
// version of its Maven artifact; a jar that is no Maven artifact replaces the
// jar of the same name. If nothing changes, Add creates no revision, and the
// warnings of the returned deployment say why.
func (d *Deployer) Add(ctx context.Context, app string, refs []ArtifactRef) (*Deployment, error) {
	defer collectEarly()()
	added, err := d.resolveRefs(ctx, app, refs)
	if err != nil {
		return nil, err
	}
	for {
		dep, err := d.addToCurrent(ctx, app, added)
		if !errors.Is(err, errOvertaken) { // else retry on top of the other deployment
			return dep, err
		}
	}
}

func (d *Deployer) addToCurrent(ctx context.Context, app string, added []Artifact) (*Deployment, error) {
	base, err := d.readDeployed(ctx, app)
	if err != nil {
		return nil, err
	}
	base.exact = true
	was := &revision{Revision: bus.Revision{App: app}}
	if base.Value.Current > 0 {
		if was, err = d.readRevision(ctx, app, base.Value.Current); err != nil {
			return nil, err
		}
	}
	all, warnings, changed := mergeJars(was.manifest.Artifacts, added)
	if !changed && base.Value.Current > 0 {
		dep := was.toDeployment(base.Value.Current)
		dep.Warnings = append(slices.Clip(warnings), dep.Warnings...)
		return dep, nil
	}
	return d.deployJars(ctx, app, base, all, warnings)
}

// resolveRefs returns the referenced jars. It touches each one, so that the
// sweep does not remove it before it is deployed.
func (d *Deployer) resolveRefs(ctx context.Context, app string, refs []ArtifactRef) ([]Artifact, error) {
	if err := checkApp(app); err != nil {
		return nil, err
	}
	var wrong Errors
	if len(refs) > maxArtifacts {
		wrong.addFault("/artifacts", "at most "+strconv.Itoa(maxArtifacts)+" jars", strconv.Itoa(len(refs)))
		return nil, wrong
	}
	refs = slices.Clone(refs)
	for i := range refs {
		place := "/artifacts/" + strconv.Itoa(i)
		checkName(&wrong, place+"/name", refs[i].Name)
		refs[i].SHA256 = checkSHA256(&wrong, place+"/sha256", refs[i].SHA256)
	}
	if err := wrong.orNil(); err != nil {
		return nil, err
	}
	var all []Artifact
	missing := &MissingError{App: app}
	for _, ref := range refs {
		obj, err := d.touchJar(ctx, ref.SHA256)
		switch {
		case err == nil:
			all = append(all, newArtifact(ref.Name, obj))
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
		wrong.addFault(place, "a name in UTF-8", toValidUTF8(name))
		return
	}
	if name == "" || len(name) > 255 || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		wrong.addFault(place, "a file name without a folder, of at most 255 bytes", name)
	}
}

func checkSHA256(wrong *Errors, place, sum string) string {
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		wrong.addFault(place, "a SHA-256 in 64 hex digits", sum)
	}
	return strings.ToLower(sum)
}

// deployJars scans a class path, stores it as a revision and makes it current.
func (d *Deployer) deployJars(ctx context.Context, app string, base baseline, jars []Artifact, warnings []string) (*Deployment, error) {
	jars, dropped := keepNewest(jars)
	makeNamesUnique(jars)
	if err := d.checkAppQuota(app, jars); err != nil {
		return nil, wrapError(err, "deploy %s", app)
	}
	r := &revision{
		Revision: bus.Revision{App: app, CreateTime: subjects.Now()},
		manifest: manifest{Artifacts: jars, Warnings: append(warnings, dropped...)},
	}
	if err := d.scanJars(ctx, &r.manifest); err != nil {
		return nil, wrapError(err, "deploy %s", app)
	}
	head, err := d.saveRevision(ctx, base, r)
	if err != nil {
		return nil, wrapError(err, "deploy %s", app)
	}
	d.log.Info("deployed", "app", app, "revision", r.Number, "jars", len(jars), "components", len(r.manifest.Components))
	return r.toDeployment(head.Current), nil
}

// scanJars finds the components of a class path.
func (d *Deployer) scanJars(ctx context.Context, m *manifest) error {
	select {
	case d.scans <- struct{}{}:
		defer func() { <-d.scans }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var jars []classfile.Jar
	for _, a := range m.Artifacts {
		jars = append(jars, classfile.Jar{Name: a.Name, Open: func() (io.ReaderAt, int64, func() error, error) {
			s, err := d.fetchJar(ctx, a.SHA256)
			if err != nil {
				return nil, 0, nil, err
			}
			return s, s.size, func() error { s.closeAndRemove(); return nil }, nil
		}})
	}
	report, err := classfile.Scan(ctx, jars, d.tempDir)
	if err != nil {
		return err
	}
	m.Classes = report.Classes
	for i := range report.Components {
		m.Components = append(m.Components, newComponent(&report.Components[i]))
	}
	for _, w := range report.Warnings {
		m.Warnings = append(m.Warnings, w.String())
	}
	for _, u := range report.Unresolved {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%s is not on the class path, so %s cannot be loaded", u.Class, withOthers(u.By, u.Classes)))
	}
	return nil
}

// withOthers returns the name of the first of n classes and the number of the
// others.
func withOthers(first string, n int) string {
	if n <= 1 {
		return first
	}
	return fmt.Sprintf("%s (and %d more)", first, n-1)
}

// fetchJar copies a stored jar into a temporary file.
func (d *Deployer) fetchJar(ctx context.Context, sum string) (*spooledFile, error) {
	r, _, err := d.Open(ctx, sum)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return d.spoolFile(func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}
