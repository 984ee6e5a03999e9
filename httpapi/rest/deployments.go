package rest

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// NewDeployment is the body that creates a deployment from stored jars.
type NewDeployment struct {
	Artifacts []ArtifactRef `json:"artifacts" doc:"The class path, in order."`
}

// ArtifactRef names a stored jar.
type ArtifactRef struct {
	Name   string `json:"name" doc:"The file's name." example:"orders-1.2.jar"`
	SHA256 string `json:"sha256" doc:"Of its content, as 64 hex digits."`
}

// Deployment is a deployment of an application: a class path, and the
// components on it.
type Deployment struct {
	Revision   int           `json:"revision" doc:"From 1."`
	Current    bool          `json:"current"`
	Artifacts  []Artifact    `json:"artifacts"`
	Components int           `json:"components" doc:"The number of batch components on the class path."`
	Classes    int           `json:"classes" doc:"The number of classes that were read."`
	Warnings   []string      `json:"warnings" doc:"What was skipped, with jar and entry."`
	CreateTime subjects.Time `json:"create_time"`
}

// Artifact is a jar of a class path.
type Artifact struct {
	ArtifactRef
	Size    int64  `json:"size" doc:"Bytes."`
	Origin  string `json:"origin,omitempty" doc:"The URL that it was read from; absent for an upload."`
	Group   string `json:"group_id,omitempty" doc:"From its pom."`
	ID      string `json:"artifact_id,omitempty" doc:"From its pom."`
	Version string `json:"version,omitempty" doc:"From its pom."`
}

// Component is a class that jobs can name. Some are built in.
type Component struct {
	Class       string   `json:"class" example:"a.b.C$D"`
	Ref         string   `json:"ref" doc:"The name that jobs use."`
	Aliases     []string `json:"aliases,omitempty" doc:"Other names of it that jobs can use."`
	Kinds       []string `json:"kinds" doc:"batchlet, item-reader, item-processor, item-writer, listener, decider, checkpoint-algorithm, partition-mapper, partition-reducer, partition-collector, partition-analyzer, throwable"`
	Listens     []string `json:"listens" doc:"What a listener listens to: job, step, chunk, item-read ..."`
	Origin      string   `json:"origin" doc:"built-in, or the jar's name."`
	Constructor string   `json:"constructor,omitempty" doc:"What can create one: any code (public), CDI only (inject), or nothing (none)."`
}

// NewPreview is the body that asks for the next fires of a schedule.
type NewPreview struct {
	CronNotation string `json:"cron_notation" edn:"schedule/cron-notation" example:"0 0 3 * * ?"`
	TimeZone     string `json:"time_zone,omitempty" edn:"schedule/time-zone" doc:"IANA name. Default: the time zone of the control bus."`
	From         string `json:"from,omitempty" doc:"RFC 3339. Default: now."`
	Count        int    `json:"count,omitempty" doc:"1 to 1000. Default 10."`
}

// Preview is the answer with the next fires of a schedule.
type Preview struct {
	Fires []PreviewFire `json:"fires"`
}

// PreviewFire is a fire to come.
type PreviewFire struct {
	Time  subjects.Time `json:"time"`
	Local string        `json:"local" doc:"In the schedule's zone." example:"2026-11-24T03:00:00+01:00"`
	Note  string        `json:"note,omitempty" doc:"What is special about it, such as a change of the clocks."`
}

// StoredArtifact is a jar that is stored.
type StoredArtifact struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size" doc:"Bytes."`
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
