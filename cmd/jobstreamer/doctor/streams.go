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
	subjects.LogsStream:                         {"max_age", "max_bytes"},
	jetio.BucketStream(subjects.SessionsBucket): {"max_age"},
}

// maxReplicaLag is the number of operations that a replica may lag behind.
const maxReplicaLag = 1000

const makeAgain = "start or restart a control bus: it creates missing streams and restores settings where NATS allows it"

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
		x.lost[name] = "none of its servers answers"
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
	c.Saw = countText(ours, "stream") + " with the settings that this version needs"
	return c, nil
}

// checkStream checks one stream. It returns 1 if the stream exists, else 0.
func (x *examination) checkStream(c *Check, want jetstream.StreamConfig) int {
	s, ok := x.streams[want.Name]
	if !ok {
		if why, lost := x.lost[want.Name]; lost {
			c.addFinding("start the NATS servers that host it; inspect them with `nats server report jetstream`", "stream %s does not answer: %s", want.Name, why)
		} else {
			c.addFinding(makeAgain, "stream %s is missing: it stores %s", want.Name, streamContent(want.Name))
		}
		return 0
	}
	for _, d := range differences(want, s.Configuration()) {
		c.addFinding(makeAgain, "stream %s was changed: %s", want.Name, d)
	}
	if info, err := s.LatestInformation(); err == nil && info.Cluster != nil {
		checkReplicas(c, want.Name, info.Cluster)
	}
	return 1
}

// streamContent returns what a stream stores, in words.
func streamContent(stream string) string {
	switch stream {
	case subjects.ResultsStream:
		return "the results of executions"
	case subjects.LogsStream:
		return "the output of jobs"
	case subjects.AuditStream:
		return "who changed what"
	case subjects.NotificationsStream:
		return "the notifications that wait to be sent"
	case subjects.DeadLettersStream:
		return "the notifications that were not sent"
	}
	if store, ok := strings.CutPrefix(stream, jetio.ObjectStream(subjects.BucketPrefix)); ok {
		return "the object store " + store
	}
	if bucket, ok := strings.CutPrefix(stream, jetio.BucketStream(subjects.BucketPrefix)); ok {
		return "the bucket " + bucket
	}
	return "requests to agents"
}

// differences returns the settings that differ from the wanted ones, in words.
func differences(want jetstream.StreamConfig, is api.StreamConfig) []string {
	w, i := setFields(want), setFields(is)
	var all []string
	for _, key := range checkedSettings {
		if slices.Contains(freeSettings[want.Name], key) || reflect.DeepEqual(w[key], i[key]) {
			continue
		}
		all = append(all, fmt.Sprintf("%s is %s, want %s", key, settingText(i[key]), settingText(w[key])))
	}
	return all
}

// setFields returns the settings as they are sent over the wire, without unset
// ones. Both libraries write the same names.
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

// checkReplicas checks whether the replicas of a stream are in step.
func checkReplicas(c *Check, stream string, cluster *api.ClusterInfo) {
	const do = "start the missing NATS server, or check its log; more than half of the replicas must be online"
	if cluster.Leader == "" {
		c.addFinding(do, "stream %s has no leader: it cannot be written", stream)
	}
	for _, p := range cluster.Replicas {
		switch {
		case p.Offline:
			c.addFinding(do, "stream %s: the replica on %s is offline", stream, p.Name)
		case p.Lag > maxReplicaLag:
			c.addFinding("wait; if the replica does not catch up, check the disk of its server", "stream %s: the replica on %s is %d operations behind", stream, p.Name, p.Lag)
		}
	}
}

// checkSameReplicas reports streams whose number of replicas differs from that
// of most streams.
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
			c.addFinding("start every control bus with the same --replicas", "stream %s has %s, most streams have %d", name, countText(s.Replicas(), "replica"), usual)
		}
	}
}

func isOurStream(stream string) bool {
	return strings.HasPrefix(stream, jetio.BucketStream(subjects.BucketPrefix)) || strings.HasPrefix(stream, jetio.ObjectStream(subjects.BucketPrefix)) ||
		slices.Contains([]string{subjects.ResultsStream, subjects.LogsStream, subjects.AuditStream, subjects.NotificationsStream, subjects.DeadLettersStream}, stream) ||
		strings.HasPrefix(stream, subjects.RequestStreamPrefix)
}
