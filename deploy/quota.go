package deploy

import (
	"context"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// QuotaError is the error of a jar or a class path that exceeds a limit of
// [Config]. All sizes are in bytes.
type QuotaError struct {
	App    string // whose class path it is; empty for all stored jars
	Stored int64  // of other jars
	Size   int64  // of the new one
	Limit  int64
}

func (e *QuotaError) Error() string {
	if e.App != "" {
		return fmt.Sprintf("the jars of the class path of %s have %d bytes, and the limit for an application is %d bytes (--max-app-jar-bytes)", e.App, e.Size, e.Limit)
	}
	return fmt.Sprintf("%d bytes of jars are stored, the new jar has %d bytes, and the limit is %d bytes (--max-jar-bytes); jars that no deployment names are removed an hour after their upload", e.Stored, e.Size, e.Limit)
}

// reserveSpace returns a [QuotaError] if a new jar does not fit. It counts the
// jars that this bus is storing at the moment as stored, until their release.
func (d *Deployer) reserveSpace(ctx context.Context, size int64) (release func(), err error) {
	if d.maxBytes == 0 {
		return func() {}, nil
	}
	storing := d.storing.Add(size)
	release = func() { d.storing.Add(-size) }
	s, err := d.b.JS.Stream(ctx, jetio.ObjectStream(subjects.ArtifactsStore))
	if err == nil {
		others := int64(s.CachedInfo().State.Bytes) + storing - size
		if others+size <= d.maxBytes {
			return release, nil
		}
		err = &QuotaError{Stored: others, Size: size, Limit: d.maxBytes}
	}
	release()
	return nil, err
}

// checkAppQuota returns a [QuotaError] if the jars of a class path are too
// large together.
func (d *Deployer) checkAppQuota(app string, jars []Artifact) error {
	var size int64
	for _, a := range jars {
		size += a.Size
	}
	if d.maxAppBytes > 0 && size > d.maxAppBytes {
		return &QuotaError{App: app, Size: size, Limit: d.maxAppBytes}
	}
	return nil
}
