package rest

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// NewDeployment is the body that creates a deployment from stored jars.
type NewDeployment struct {
	Artifacts []ArtifactRef `json:"artifacts" doc:"The jars in the order of the class path."`
}

// ArtifactRef names a stored jar.
type ArtifactRef struct {
	Name   string `json:"name" doc:"Name of the file." example:"orders-1.2.jar"`
	SHA256 string `json:"sha256" doc:"SHA-256 of the content, as 64 hex digits."`
}

// Deployment is a deployment of an application: a class path, and the
// components on it.
type Deployment struct {
	Revision   int           `json:"revision" doc:"Number of the deployment, from 1."`
	Current    bool          `json:"current"`
	Artifacts  []Artifact    `json:"artifacts"`
	Components int           `json:"components" doc:"Number of batch components on the class path."`
	Classes    int           `json:"classes" doc:"Number of classes that the bus has read."`
	Warnings   []string      `json:"warnings" doc:"Entries that the bus skipped, each with the name of its jar."`
	CreateTime subjects.Time `json:"create_time"`
}

// Artifact is a jar of a class path.
type Artifact struct {
	ArtifactRef
	Size    int64  `json:"size" doc:"Size in bytes."`
	Origin  string `json:"origin,omitempty" doc:"URL from which the jar was read; absent for an uploaded jar."`
	Group   string `json:"group_id,omitempty" doc:"Read from the pom of the jar."`
	ID      string `json:"artifact_id,omitempty" doc:"Read from the pom of the jar."`
	Version string `json:"version,omitempty" doc:"Read from the pom of the jar."`
}

// Component is a class that jobs can name. Some are built in.
type Component struct {
	Class       string   `json:"class" example:"a.b.C$D"`
	Ref         string   `json:"ref" doc:"Name by which jobs refer to the component."`
	Aliases     []string `json:"aliases,omitempty" doc:"Other names by which jobs can refer to the component."`
	Kinds       []string `json:"kinds" doc:"batchlet, item-reader, item-processor, item-writer, listener, decider, checkpoint-algorithm, partition-mapper, partition-reducer, partition-collector, partition-analyzer, throwable"`
	Listens     []string `json:"listens" doc:"Events to which a listener listens: job, step, chunk, item-read ..."`
	Origin      string   `json:"origin" doc:"built-in, or the name of the jar."`
	Constructor string   `json:"constructor,omitempty" doc:"How the component can be created: by its public constructor (public), by CDI only (inject), or not at all (none)."`
}

// NewPreview is the body that asks for the next fires of a schedule.
type NewPreview struct {
	NewSchedule
	From  string `json:"from,omitempty" doc:"RFC 3339. Default: now."`
	Count int    `json:"count,omitempty" doc:"1 to 1000. Default 10."`
}

// Preview is the answer with the next fires of a schedule.
type Preview struct {
	Fires   []PreviewFire `json:"fires"`
	Skipped []PreviewFire `json:"skipped" doc:"Times of the schedule on holidays, up to the last fire (without a fire, for a year); at most 1000."`

	GroupPauses []GroupPause `json:"group_pauses,omitempty" doc:"The pause of all schedules, if it is on: until it ends, nothing fires."`
}

// PreviewFire is a fire to come, or a time on a holiday that does not fire.
type PreviewFire struct {
	Time  subjects.Time `json:"time"`
	Local string        `json:"local" doc:"The same time in the time zone of the schedule." example:"2026-11-24T03:00:00+01:00"`
	Note  string        `json:"note,omitempty" doc:"Remark about the time, such as a change of the clocks."`

	From   string `json:"from,omitempty" doc:"Of a fire that was moved off a holiday: the time that the schedule names, in its time zone."`
	To     string `json:"to,omitempty" doc:"Of a skipped time: when it fires instead, in the time zone of the schedule. Absent if it does not fire."`
	Reason string `json:"reason,omitempty" doc:"The holiday because of which the time was moved or skipped, with its calendar."`
}

// StoredArtifact is a jar that is stored.
type StoredArtifact struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size" doc:"Size in bytes."`
}

// Components are the components that jobs of an application can name, the
// built-in ones first.
type Components struct {
	Results []Component `json:"results"`
}

// EDN returns the names by kind, for editors.
func (c Components) EDN() any {
	by := map[string][]string{}
	for i := range c.Results {
		for _, kind := range c.Results[i].Kinds {
			if !slices.Contains(by[kind], c.Results[i].Ref) { // two classes may have one name
				by[kind] = append(by[kind], c.Results[i].Ref)
			}
		}
	}
	return ednComponents{
		by["batchlet"], by["item-reader"], by["item-processor"], by["item-writer"], by["listener"], by["decider"],
		by["checkpoint-algorithm"], by["partition-mapper"], by["partition-reducer"], by["partition-collector"], by["partition-analyzer"], by["throwable"],
	}
}

type ednComponents struct {
	Batchlet            []string `edn:"batch-component/batchlet"`
	ItemReader          []string `edn:"batch-component/item-reader"`
	ItemProcessor       []string `edn:"batch-component/item-processor"`
	ItemWriter          []string `edn:"batch-component/item-writer"`
	Listener            []string `edn:"batch-component/listener"`
	Decider             []string `edn:"batch-component/decider"`
	CheckpointAlgorithm []string `edn:"batch-component/checkpoint-algorithm"`
	PartitionMapper     []string `edn:"batch-component/partition-mapper"`
	PartitionReducer    []string `edn:"batch-component/partition-reducer"`
	PartitionCollector  []string `edn:"batch-component/partition-collector"`
	PartitionAnalyzer   []string `edn:"batch-component/partition-analyzer"`
	Throwable           []string `edn:"batch-component/throwable"`
}
