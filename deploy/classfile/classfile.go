// Package classfile says which JavaBatch components a class path has, without a
// JVM.
//
//	jars --> archive --> entries --> parse --> index --> walk up --> Report
//	            ^            |                  names, super classes,
//	            +-- nested --+                  interfaces, flags
//
// All classes are indexed first, those that are no components too: the base
// class of a batchlet may lie in another jar. What a class is follows from the
// interfaces that it reaches. The API's own classes need not be there, since
// the runtime brings them.
//
// Jars come from strangers. Nothing that they say is believed before it is
// checked, none is held in memory, and the work on one is bounded by its size
// (see limits.go). What is wrong with one class costs that class: it becomes a
// Warning, and the rest is read.
//
// The answer is that of a JVM which loads the same class path: the first class
// of a name wins, a class in the wrong folder does not exist, one whose
// ancestors are missing cannot be loaded.
package classfile

import "io"

// Jar is one jar of a class path.
type Jar struct {
	Name string // for origins and warnings, such as "orders-1.2.jar"

	// Open is called once, when the jar's turn comes, and close when it is
	// over.
	Open func() (r io.ReaderAt, size int64, close func() error, err error)
}

// Report is what a class path has.
type Report struct {
	Components []Component // by class
	Warnings   []Warning   // in the order of the class path
	Unresolved []Missing   // by class
	Classes    int         // that were read, each name once
}

// Component is a class that a job may name.
type Component struct {
	Class       string      // a.b.C$D
	Ref         string      // what a job should say: a non-empty @Named value, else the class
	Aliases     []string    // what works as well: ids of META-INF/batch.xml, the name that a bare @Named gives
	Kinds       []Kind      // all of them, in the order of the constants
	Listens     []string    // to what a listener listens: job, step, chunk, item-read, ..., retry-write
	Namespace   string      // "javax" or "jakarta"; of what is but a throwable ""
	Origin      string      // the jar's name, of a nested one "shop.war!/WEB-INF/lib/orders.jar"
	Constructor Constructor // who can make one; of what is but a throwable ""
}

// Kind is what a component can be used as.
type Kind string

const (
	Batchlet            Kind = "batchlet"
	ItemReader          Kind = "item-reader"
	ItemProcessor       Kind = "item-processor"
	ItemWriter          Kind = "item-writer"
	Listener            Kind = "listener"
	Decider             Kind = "decider"
	CheckpointAlgorithm Kind = "checkpoint-algorithm"
	PartitionMapper     Kind = "partition-mapper"
	PartitionReducer    Kind = "partition-reducer"
	PartitionCollector  Kind = "partition-collector"
	PartitionAnalyzer   Kind = "partition-analyzer"
	Throwable           Kind = "throwable"
)

// Constructor says who can make an instance of a component.
type Constructor string

const (
	Public Constructor = "public" // anybody: class and constructor are public, and it takes nothing
	Inject Constructor = "inject" // CDI only: the constructor has @Inject
	None   Constructor = "none"   // nobody, unless a producer of the application does
)

// Missing is a class or interface that others extend and that is not on the
// class path. What extends it cannot be loaded.
type Missing struct {
	Class   string
	By      string // the first that names it
	Classes int    // how many name it themselves
}

// Warning is something that was left out, or that will not work.
type Warning struct {
	Jar    string
	Entry  string // "" if it is about the whole jar
	Reason string
}

func (w Warning) String() string {
	if w.Entry == "" {
		return w.Jar + ": " + w.Reason
	}
	return w.Jar + "!/" + w.Entry + ": " + w.Reason
}
