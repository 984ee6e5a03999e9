package httpapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
)

// Preconditions are the headers of a write.
type Preconditions struct {
	IfMatch     string `header:"If-Match" doc:"Write only if the entity tag is one of these."`
	IfNoneMatch string `header:"If-None-Match" doc:"With *: write only if it does not exist yet."`
}

// entityTag returns the entity tag of a revision.
func entityTag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// check returns an error if a write to a value with this revision must not
// happen. Revision 0 means that there is no value.
func (p *Preconditions) check(revision uint64) error {
	if p.IfMatch != "" {
		holds, err := matchesTag("If-Match", p.IfMatch, revision)
		if err != nil {
			return err
		}
		if !holds {
			return fmt.Errorf("%w: If-Match: %s, but it is %s", errPrecondition, codec.Cut(p.IfMatch), tagOrNone(revision))
		}
	}
	if p.IfNoneMatch != "" {
		hit, err := matchesTag("If-None-Match", p.IfNoneMatch, revision)
		switch {
		case err != nil:
			return err
		case hit && strings.TrimSpace(p.IfNoneMatch) == "*":
			return bus.ErrExists
		case hit:
			return fmt.Errorf("%w: If-None-Match: %s", errPrecondition, codec.Cut(p.IfNoneMatch))
		}
	}
	return nil
}

func tagOrNone(revision uint64) string {
	if revision == 0 {
		return "not there"
	}
	return entityTag(revision)
}

// matchesTag reports whether the list in a header has the tag of the revision.
// A weak tag and a tag of another form match nothing.
func matchesTag(header, list string, revision uint64) (bool, error) {
	if strings.TrimSpace(list) == "*" {
		return revision != 0, nil
	}
	var tags []string
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		opaque := strings.TrimPrefix(tag, "W/")
		if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
			return false, codec.ParameterFault(header, `* or entity tags such as "12", with their quotes`, list)
		}
		tags = append(tags, tag)
	}
	return revision != 0 && slices.Contains(tags, entityTag(revision)), nil
}
