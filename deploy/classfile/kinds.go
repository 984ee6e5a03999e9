package classfile

import (
	"math/bits"
	"slices"
)

// role is an interface of the batch API.
type role struct {
	name    string // behind javax/batch/api/ or jakarta/batch/api/
	base    string // its abstract class in the same package, if there is one
	kind    Kind
	listens string
}

// roles are in the order in which a Report lists kinds and what listeners
// listen to.
var roles = [...]role{
	{"Batchlet", "AbstractBatchlet", Batchlet, ""},
	{"chunk/ItemReader", "chunk/AbstractItemReader", ItemReader, ""},
	{"chunk/ItemProcessor", "", ItemProcessor, ""},
	{"chunk/ItemWriter", "chunk/AbstractItemWriter", ItemWriter, ""},
	{"listener/JobListener", "listener/AbstractJobListener", Listener, "job"},
	{"listener/StepListener", "listener/AbstractStepListener", Listener, "step"},
	{"chunk/listener/ChunkListener", "chunk/listener/AbstractChunkListener", Listener, "chunk"},
	{"chunk/listener/ItemReadListener", "chunk/listener/AbstractItemReadListener", Listener, "item-read"},
	{"chunk/listener/ItemProcessListener", "chunk/listener/AbstractItemProcessListener", Listener, "item-process"},
	{"chunk/listener/ItemWriteListener", "chunk/listener/AbstractItemWriteListener", Listener, "item-write"},
	{"chunk/listener/SkipReadListener", "", Listener, "skip-read"},
	{"chunk/listener/SkipProcessListener", "", Listener, "skip-process"},
	{"chunk/listener/SkipWriteListener", "", Listener, "skip-write"},
	{"chunk/listener/RetryReadListener", "", Listener, "retry-read"},
	{"chunk/listener/RetryProcessListener", "", Listener, "retry-process"},
	{"chunk/listener/RetryWriteListener", "", Listener, "retry-write"},
	{"Decider", "", Decider, ""},
	{"chunk/CheckpointAlgorithm", "chunk/AbstractCheckpointAlgorithm", CheckpointAlgorithm, ""},
	{"partition/PartitionMapper", "", PartitionMapper, ""},
	{"partition/PartitionReducer", "partition/AbstractPartitionReducer", PartitionReducer, ""},
	{"partition/PartitionCollector", "", PartitionCollector, ""},
	{"partition/PartitionAnalyzer", "partition/AbstractPartitionAnalyzer", PartitionAnalyzer, ""},
}

// mask is all that is known of a class by what it extends: a bit for each role
// in javax, then the same in jakarta, then these.
type mask uint64

const (
	throwable mask = 1 << (60 + iota)
	missing        // an ancestor is not on the class path
	open           // being walked through
	done           // complete

	javaxRoles   mask = 1<<len(roles) - 1
	jakartaRoles      = javaxRoles << len(roles)
	anyRole           = javaxRoles | jakartaRoles
)

// api has the API's interfaces and abstract classes.
var api = func() map[string]mask {
	names := map[string]mask{}
	for i, r := range roles {
		for j, namespace := range []string{"javax", "jakarta"} {
			bit := mask(1) << (i + j*len(roles))
			names[namespace+"/batch/api/"+r.name] = bit
			if r.base != "" {
				names[namespace+"/batch/api/"+r.base] = bit
			}
		}
	}
	return names
}()

func (m mask) namespace() string {
	switch {
	case m&javaxRoles != 0:
		return "javax"
	case m&jakartaRoles != 0:
		return "jakarta"
	}
	return ""
}

// kinds returns what a class is, and to what it listens.
func (m mask) kinds() (kinds []Kind, listens []string) {
	both := (m | m>>len(roles)) & javaxRoles
	for ; both != 0; both &= both - 1 {
		r := roles[bits.TrailingZeros64(uint64(both))]
		if !slices.Contains(kinds, r.kind) {
			kinds = append(kinds, r.kind)
		}
		if r.listens != "" {
			listens = append(listens, r.listens)
		}
	}
	if m&throwable != 0 {
		kinds = append(kinds, Throwable)
	}
	return kinds, listens
}
