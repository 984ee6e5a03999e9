package agent

import (
	"errors"
	"reflect"
)

// Factory creates an artifact for one execution of a step, or of one of its
// partitions. s has the properties of the reference in the job. Each reference
// has its own instance (10.5).
type Factory[A any] func(s *StepContext) (A, error)

// Artifacts holds the factories of artifacts by the name that jobs refer to.
type Artifacts struct {
	Readers      map[string]Factory[ItemReader[any]]
	Processors   map[string]Factory[ItemProcessor[any, any]]
	Writers      map[string]Factory[ItemWriter[any]]
	Algorithms   map[string]Factory[CheckpointAlgorithm]
	Listeners    map[string]Factory[any] // of steps
	JobListeners map[string]func(*JobContext) (JobListener, error)
	Deciders     map[string]func(*DecisionContext) (Decider, error)
	Mappers      map[string]Factory[PartitionMapper]
	Collectors   map[string]Factory[PartitionCollector]
	Analyzers    map[string]Factory[PartitionAnalyzer]
	Reducers     map[string]Factory[PartitionReducer]
	ErrorClasses []ErrorClass
}

// Reader registers a reader of items.
func Reader[T any](ref string, f Factory[ItemReader[T]]) Option {
	return registerFactory("item reader", ref, f == nil, func(a *Artifacts) *map[string]Factory[ItemReader[any]] { return &a.Readers }, UntypedReader(f))
}

// Processor registers a processor of items.
func Processor[I, O any](ref string, f Factory[ItemProcessor[I, O]]) Option {
	return registerFactory("item processor", ref, f == nil, func(a *Artifacts) *map[string]Factory[ItemProcessor[any, any]] { return &a.Processors }, UntypedProcessor(ref, f))
}

// Writer registers a writer of items.
func Writer[T any](ref string, f Factory[ItemWriter[T]]) Option {
	return registerFactory("item writer", ref, f == nil, func(a *Artifacts) *map[string]Factory[ItemWriter[any]] { return &a.Writers }, UntypedWriter(ref, f))
}

// Algorithm registers a checkpoint algorithm.
func Algorithm(ref string, f Factory[CheckpointAlgorithm]) Option {
	return registerFactory("checkpoint algorithm", ref, f == nil, func(a *Artifacts) *map[string]Factory[CheckpointAlgorithm] { return &a.Algorithms }, f)
}

// Listener registers a listener of steps. Its type L implements one or more of the
// interfaces of listeners: [StepListener] and those of chunks and items.
func Listener[L any](ref string, f Factory[L]) Option {
	untyped := func(s *StepContext) (any, error) { return f(s) }
	return registerFactory("listener", ref, f == nil, func(a *Artifacts) *map[string]Factory[any] { return &a.Listeners }, untyped)
}

// Mapper registers a partition mapper.
func Mapper(ref string, f Factory[PartitionMapper]) Option {
	return registerFactory("partition mapper", ref, f == nil, func(a *Artifacts) *map[string]Factory[PartitionMapper] { return &a.Mappers }, f)
}

// Collector registers a partition collector.
func Collector(ref string, f Factory[PartitionCollector]) Option {
	return registerFactory("partition collector", ref, f == nil, func(a *Artifacts) *map[string]Factory[PartitionCollector] { return &a.Collectors }, f)
}

// Analyzer registers a partition analyzer.
func Analyzer(ref string, f Factory[PartitionAnalyzer]) Option {
	return registerFactory("partition analyzer", ref, f == nil, func(a *Artifacts) *map[string]Factory[PartitionAnalyzer] { return &a.Analyzers }, f)
}

// Reducer registers a partition reducer.
func Reducer(ref string, f Factory[PartitionReducer]) Option {
	return registerFactory("partition reducer", ref, f == nil, func(a *Artifacts) *map[string]Factory[PartitionReducer] { return &a.Reducers }, f)
}

// registerFactory returns the option that adds a factory to one of the maps.
func registerFactory[A any](what, ref string, missing bool, of func(*Artifacts) *map[string]Factory[A], f Factory[A]) Option {
	return func(a *Agent) error { return registerIn(of(&a.artifacts), what, ref, missing, f) }
}

// UntypedReader returns a factory of readers whose items have the type any. It
// is for runtimes with artifacts of their own; [Reader] calls it.
func UntypedReader[T any](f Factory[ItemReader[T]]) Factory[ItemReader[any]] {
	if same, ok := any(f).(Factory[ItemReader[any]]); ok {
		return same
	}
	return func(s *StepContext) (ItemReader[any], error) {
		r, err := f(s)
		if err != nil {
			return nil, err
		}
		return untypedReader[T]{r}, nil
	}
}

// UntypedProcessor returns a factory of processors whose items have the type
// any. An item of another type than I is an error that names ref.
func UntypedProcessor[I, O any](ref string, f Factory[ItemProcessor[I, O]]) Factory[ItemProcessor[any, any]] {
	if same, ok := any(f).(Factory[ItemProcessor[any, any]]); ok {
		return same
	}
	return func(s *StepContext) (ItemProcessor[any, any], error) {
		p, err := f(s)
		if err != nil {
			return nil, err
		}
		return untypedProcessor[I, O]{ref, reflect.TypeFor[O]().Kind() == reflect.Pointer, p}, nil
	}
}

// UntypedWriter returns a factory of writers whose items have the type any. An
// item of another type than T is an error that names ref.
func UntypedWriter[T any](ref string, f Factory[ItemWriter[T]]) Factory[ItemWriter[any]] {
	if same, ok := any(f).(Factory[ItemWriter[any]]); ok {
		return same
	}
	return func(s *StepContext) (ItemWriter[any], error) {
		w, err := f(s)
		if err != nil {
			return nil, err
		}
		return &untypedWriter[T]{ItemWriter: w, ref: ref}, nil
	}
}

// ErrorClass gives errors the name by which the exception classes of a chunk
// refer to them: skippable, retryable and no-rollback (8.2.1.4).
//
// Every error has the class "error", and a panic has the class "panic". So that
// jobs from Java need no change, java.lang.Exception is a parent of "error",
// java.lang.Error is a parent of "panic", and java.lang.Throwable is a parent
// of both.
type ErrorClass struct {
	Name string
	// Parent is the class that contains this one; default "error".
	Parent string
	// Matches reports whether an error is of the class. It looks at wrapped
	// errors too, by errors.Is or errors.As.
	Matches func(error) bool
}

// ErrorIs returns the class of errors that are target, by errors.Is.
func ErrorIs(name, parent string, target error) ErrorClass {
	return ErrorClass{name, parent, func(err error) bool { return errors.Is(err, target) }}
}

// ErrorAs returns the class of errors of the type E, by errors.As.
func ErrorAs[E error](name, parent string) ErrorClass {
	return ErrorClass{name, parent, func(err error) bool {
		var e E
		return errors.As(err, &e)
	}}
}

// ErrorClasses registers classes of errors.
func ErrorClasses(classes ...ErrorClass) Option {
	return func(a *Agent) error {
		for _, c := range classes {
			if c.Name == "" || c.Matches == nil {
				return errors.New("a class of errors needs a name and a function Matches")
			}
			a.artifacts.ErrorClasses = append(a.artifacts.ErrorClasses, c)
		}
		return nil
	}
}
