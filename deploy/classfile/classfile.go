// Package classfile finds the JavaBatch components of a class path, without a
// JVM.
//
//	jars --> archive --> entries --> parse --> index --> walk up --> Report
//	            ^            |                  names, super classes,
//	            +-- nested --+                  interfaces, flags
//
// The scanner first indexes all classes, components or not: the base class of a
// batchlet may lie in another jar. The interfaces among its ancestors decide
// what a class can be used as. The classes of the API itself may be absent,
// since the runtime provides them.
//
// Jars are untrusted. The scanner checks every value in them before it uses it,
// holds no jar in memory as a whole, and bounds the work on a jar by the jar's
// size (see limits.go). A broken class becomes a Warning; the scanner reads the
// rest.
//
// The result agrees with a JVM that loads the same class path: the first class
// of a name wins, a class in the wrong folder does not exist, and a class with
// a missing ancestor cannot be loaded.
package classfile

import "io"

// Jar is one jar of a class path.
type Jar struct {
	Name string // for origins and warnings, such as "orders-1.2.jar"

	// Scan calls Open once, before it reads the jar, and close afterwards.
	Open func() (r io.ReaderAt, size int64, close func() error, err error)
}

// Report is the result of scanning a class path.
type Report struct {
	Components []Component // by class
	Warnings   []Warning   // in the order of the class path
	Unresolved []Missing   // by class
	Classes    int         // number of classes read, each name once
}

// Component is a class that a job may name.
type Component struct {
	Class       string      // a.b.C$D
	Ref         string      // preferred name in a job: a non-empty @Named value, else the class
	Aliases     []string    // other names: ids of META-INF/batch.xml, the default name of a bare @Named
	Kinds       []Kind      // in the order of the constants
	Listens     []string    // events of a listener: job, step, chunk, item-read, ..., retry-write
	Namespace   string      // "javax" or "jakarta"; "" for a class that is only a throwable
	Origin      string      // jar name; for a nested jar "shop.war!/WEB-INF/lib/orders.jar"
	Constructor Constructor // "" for a class that is only a throwable
}

// Kind is a way in which a job can use a component.
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

// Constructor says who can create an instance of a component.
type Constructor string

const (
	Public Constructor = "public" // any runtime: class and constructor are public, without parameters
	Inject Constructor = "inject" // CDI only: the constructor has @Inject
	None   Constructor = "none"   // only a CDI producer of the application
)

// Missing is a class or interface that other classes extend and that is not on
// the class path. Its subclasses cannot be loaded.
type Missing struct {
	Class   string
	By      string // the first class that extends it directly
	Classes int    // number of classes that extend it directly
}

// Warning is about something that was left out, or that will not work.
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
