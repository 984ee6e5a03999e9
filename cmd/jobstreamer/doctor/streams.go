package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// checkedSettings are the settings of a stream that the control bus relies on.
var checkedSettings = []string{
	"subjects", "retention", "storage", "max_msgs", "max_bytes", "max_age", "max_msgs_per_subject", "max_msg_size", "max_consumers",
	"discard", "discard_new_per_subject", "no_ack", "sealed", "mirror", "sources", "subject_transform",
	"allow_rollup_hdrs", "deny_delete", "deny_purge", "allow_direct", "allow_msg_ttl", "subject_delete_marker_ttl", "persist_mode",
}

// freeSettings are the settings that an operator may choose.
var freeSettings = map[string][]string{
	subjects.LogsStream:                            {"max_age", "max_bytes"},
	subjects.BucketStream(subjects.SessionsBucket): {"max_age"},
}

// maxReplicaLag is how many operations a replica may be behind.
const maxReplicaLag = 1000

const makeAgain = "start a control bus (or start it again): it makes what is missing, and changes back what can be changed"

// checkStreams compares the streams with what this version needs.
func (x *examination) checkStreams(context.Context) (Check, error) {
	c := Check{Name: "streams"}
	all, missing, offline, err := x.mgr.Streams(nil)
	if err != nil {
		return c, fmt.Errorf("list streams: %w", err)
	}
	x.streams, x.lost = map[string]*jsm.Stream{}, offline
	for _, s := range all {
		x.streams[s.Name()] = s
	}
	if x.lost == nil {
		x.lost = map[string]string{}
	}
	for _, name := range missing {
		x.lost[name] = "no server that has it answers"
	}
	ours := 0
	for _, want := range bus.Streams(1, bus.Retention{}) {
		ours += x.checkStream(&c, want)
	}
	for name := range x.streams {
		if app, ok := strings.CutPrefix(name, subjects.RequestStreamPrefix); ok {
			ours += x.checkStream(&c, bus.RequestStreamConfig(app, 1))
		}
	}
	x.checkSameReplicas(&c)
	slices.SortFunc(c.Findings, func(a, b Finding) int { return strings.Compare(a.Wrong, b.Wrong) })
	c.Saw = fmt.Sprintf("%d, as this version needs them", ours)
	return c, nil
}

// checkStream judges one stream and says whether it is there, as a number.
func (x *examination) checkStream(c *Check, want jetstream.StreamConfig) int {
	s, ok := x.streams[want.Name]
	if !ok {
		if why, lost := x.lost[want.Name]; lost {
			c.addFinding("start the servers that have it; see `nats server report jetstream`", "stream %s cannot be reached: %s", want.Name, why)
		} else {
			c.addFinding(makeAgain, "stream %s is missing: nothing keeps %s", want.Name, streamContent(want.Name))
		}
		return 0
	}
	for _, d := range differences(want, s.Configuration()) {
		c.addFinding(makeAgain, "stream %s was altered: %s", want.Name, d)
	}
	if info, err := s.LatestInformation(); err == nil && info.Cluster != nil {
		checkReplicas(c, want.Name, info.Cluster)
	}
	return 1
}

// streamContent says what a stream keeps.
func streamContent(stream string) string {
	switch stream {
	case subjects.ResultsStream:
		return "what happens to executions"
	case subjects.LogsStream:
		return "the output of jobs"
	}
	if store, ok := strings.CutPrefix(stream, jetio.ObjectStream(subjects.BucketPrefix)); ok {
		return store
	}
	if bucket, ok := strings.CutPrefix(stream, subjects.BucketStream(subjects.BucketPrefix)); ok {
		return bucket
	}
	return "requests"
}

// differences are the settings that are not as wanted, in words.
func differences(want jetstream.StreamConfig, is api.StreamConfig) []string {
	w, i := setFields(want), setFields(is)
	var all []string
	for _, key := range checkedSettings {
		if slices.Contains(freeSettings[want.Name], key) || reflect.DeepEqual(w[key], i[key]) {
			continue
		}
		all = append(all, fmt.Sprintf("%s is %s, not %s", key, settingText(i[key]), settingText(w[key])))
	}
	return all
}

// setFields are the settings as they go over the wire, without those that say
// nothing. Both libraries write the same names.
func setFields(cfg any) map[string]any {
	m := map[string]any{}
	b, err := json.Marshal(cfg)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		panic(err) // both are plain structs
	}
	for key, v := range m {
		if n, ok := v.(float64); ok && n <= 0 || v == false || v == nil || v == "" {
			delete(m, key)
		}
	}
	return m
}

func settingText(v any) string {
	switch v := v.(type) {
	case nil:
		return "unset"
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "unreadable"
	}
	return string(b)
}

// checkReplicas judges whether a stream's replicas are in step.
func checkReplicas(c *Check, stream string, cluster *api.ClusterInfo) {
	const do = "start the server, or look at its log; more than half of the replicas must run"
	if cluster.Leader == "" {
		c.addFinding(do, "stream %s has no leader: nothing can be written to it", stream)
	}
	for _, p := range cluster.Replicas {
		switch {
		case p.Offline:
			c.addFinding(do, "stream %s: its replica on %s is offline", stream, p.Name)
		case p.Lag > maxReplicaLag:
			c.addFinding("wait, and look at the disk of that server if it does not catch up", "stream %s: its replica on %s is %d operations behind", stream, p.Name, p.Lag)
		}
	}
}

// checkSameReplicas says which streams have another number of replicas than
// most.
func (x *examination) checkSameReplicas(c *Check) {
	count := map[int]int{}
	for _, s := range x.streams {
		if isOurStream(s.Name()) {
			count[s.Replicas()]++
		}
	}
	usual := 0
	for n := range count {
		if count[n] > count[usual] {
			usual = n
		}
	}
	for name, s := range x.streams {
		if isOurStream(name) && s.Replicas() != usual {
			c.addFinding("start every control bus with the same --replicas", "stream %s has %s, the others have %d", name, countText(s.Replicas(), "replica"), usual)
		}
	}
}

func isOurStream(stream string) bool {
	return strings.HasPrefix(stream, subjects.BucketStream(subjects.BucketPrefix)) || strings.HasPrefix(stream, jetio.ObjectStream(subjects.BucketPrefix)) || stream == subjects.ResultsStream || stream == subjects.LogsStream ||
		strings.HasPrefix(stream, subjects.RequestStreamPrefix)
}
