package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
)

const (
	maxArtifacts = 2000 // of one class path
	maxChanges   = 3    // how often a file that changes is read anew
)

// DeployPath deploys a class path of jars and class folders on this machine.
// What cannot be deployed is [Errors], one for each entry, with
// /classpath/<index> as its place; then nothing was deployed.
func (d *Deployer) DeployPath(ctx context.Context, app string, urls []string) (*Deployment, error) {
	defer thrifty()()
	if err := checkApp(app); err != nil {
		return nil, err
	}
	base, err := d.deployed(ctx, app)
	if err != nil {
		return nil, err
	}
	all, wrong := locate(urls)
	var jars []Artifact
	var warnings []string
	for _, l := range all {
		a, told, err := d.take(ctx, &l)
		if want, known := l.judge(err); known {
			wrong.add(l.place, want, l.got(err))
			continue
		}
		if err != nil {
			return nil, wrap(err, "deploy %s: %s", app, l.url)
		}
		a.Origin = l.url
		jars, warnings = append(jars, a), append(warnings, told...)
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return d.deploy(ctx, app, base, jars, warnings)
}

// judge says what a place should have instead of what err found there; not
// known are failures of the broker, the bus's disk or the caller.
func (l *location) judge(err error) (want string, known bool) {
	var own *spoolError
	var p *fs.PathError
	switch {
	case errors.Is(err, errNoJar):
		return "a jar", true
	case errors.Is(err, errLarge):
		return "at most " + strconv.Itoa(maxFiles) + " files and " + strconv.Itoa(maxJar) + " bytes", true
	case errors.Is(err, objects.ErrContent):
		return "a jar that does not change while it is read", true
	case errors.As(err, &own), errors.Is(err, bus.ErrAway):
		return "", false
	case errors.As(err, &p):
		return wantOf(err), true
	}
	return "", false
}

// take stores what is at a place, unless it is stored.
func (d *Deployer) take(ctx context.Context, l *location) (a Artifact, warnings []string, err error) {
	if l.dir {
		return d.takeFolder(ctx, l)
	}
	for range maxChanges {
		if a, err = d.takeJar(ctx, l); !errors.Is(err, objects.ErrContent) {
			break
		}
	}
	return a, nil, err
}

func (d *Deployer) takeFolder(ctx context.Context, l *location) (a Artifact, warnings []string, err error) {
	s, err := d.spool(func(w io.Writer) error {
		warnings, err = WriteFolder(ctx, w, l.path)
		return err
	})
	if err != nil {
		return a, nil, err
	}
	defer s.drop()
	for i := range warnings {
		warnings[i] = l.name() + "!/" + warnings[i]
	}
	a, _, err = d.put(ctx, l.name(), s.sum, s.File, s.size)
	return a, warnings, err
}

// takeJar hashes a jar and stores it in a second reading, which must give the
// same hash.
func (d *Deployer) takeJar(ctx context.Context, l *location) (a Artifact, err error) {
	f, err := openRegular(l.path)
	if err != nil {
		return a, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil && st.Size() > maxJar {
		err = errLarge
	}
	if err != nil {
		return a, err
	}
	h := sha256.New()
	n, err := io.Copy(h, ctxReader{ctx, io.NewSectionReader(f, 0, st.Size())})
	if err == nil {
		a, _, err = d.put(ctx, l.name(), hex.EncodeToString(h.Sum(nil)), f, st.Size())
	}
	now, serr := f.Stat()
	if n < st.Size() || err != nil && serr == nil && (now.Size() != st.Size() || now.ModTime() != st.ModTime()) {
		return a, wrap(objects.ErrContent, "it changes")
	}
	return a, err
}
