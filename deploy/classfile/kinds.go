package classfile

import (
	"math/bits"
	"slices"
)

// role is an interface of the batch API.
type role struct {
	name    string // after javax/batch/api/ or jakarta/batch/api/
	base    string // abstract class that implements it, "" if there is none
	kind    Kind
	listens string
}

// roles are in the order in which a Report lists kinds and events of listeners.
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

// mask is a bit set of what a class is by its ancestors: a bit for each role in
// javax, one for each role in jakarta, then the bits below.
type mask uint64

const (
	isThrowable     mask = 1 << (60 + iota)
	ancestorMissing      // an ancestor is not on the class path
	visiting             // its ancestors are being visited
	complete             // its mask is final

	javaxRoles   mask = 1<<len(roles) - 1
	jakartaRoles      = javaxRoles << len(roles)
	anyRole           = javaxRoles | jakartaRoles
)

// apiMasks has the masks of the API's interfaces and abstract classes.
var apiMasks = func() map[string]mask {
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

func (m mask) apiNamespace() string {
	switch {
	case m&javaxRoles != 0:
		return "javax"
	case m&jakartaRoles != 0:
		return "jakarta"
	}
	return ""
}

// kindsAndEvents returns the kinds of a class, and the events it listens to.
func (m mask) kindsAndEvents() (kinds []Kind, listens []string) {
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
	if m&isThrowable != 0 {
		kinds = append(kinds, Throwable)
	}
	return kinds, listens
}
