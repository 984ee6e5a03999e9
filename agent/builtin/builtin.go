package builtin

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Names of the batchlets.
const (
	HTTP      = "org.jobstreamer.batch.HttpBatchlet"
	FileWatch = "org.jobstreamer.batch.FileWatchBatchlet"
	SQL       = jsl.SQLBatchlet
)

// Names of the readers.
const (
	SQLReader = jsl.SQLReader
)

// Names of the writers.
const (
	SQLWriter = jsl.SQLWriter
)

// Names of the readers and writers of files.
const (
	CSVReader        = "org.jobstreamer.batch.CsvReader"
	CSVWriter        = "org.jobstreamer.batch.CsvWriter"
	JSONLinesReader  = "org.jobstreamer.batch.JsonLinesReader"
	JSONLinesWriter  = "org.jobstreamer.batch.JsonLinesWriter"
	FixedWidthReader = "org.jobstreamer.batch.FixedWidthReader"
	FixedWidthWriter = "org.jobstreamer.batch.FixedWidthWriter"
)

// Config configures the artifacts. The zero value is useful.
type Config struct {
	// Secrets are the values of ${secret.NAME}, by name.
	Secrets map[string]string
	// DataSources are the databases of [SQL], [SQLReader] and [SQLWriter], by
	// name. The program imports their drivers.
	DataSources map[string]DataSource
	// NoFiles says why the artifacts do not touch files of the agent's machine;
	// empty if they do.
	NoFiles string

	dial func(ctx context.Context, network, address string) (net.Conn, error) // in tests
}

// Batchlets returns all batchlets, by name.
func (c Config) Batchlets() map[string]agent.BatchletFunc {
	return map[string]agent.BatchletFunc{HTTP: c.runHTTP, FileWatch: c.runFileWatch, SQL: c.runSQL}
}

// Readers returns all item readers, by name.
func (c Config) Readers() map[string]agent.Factory[agent.ItemReader[Record]] {
	return map[string]agent.Factory[agent.ItemReader[Record]]{
		SQLReader:        c.newSQLReader,
		CSVReader:        c.newCSVReader,
		JSONLinesReader:  c.newJSONLinesReader,
		FixedWidthReader: c.newFixedWidthReader,
	}
}

// Writers returns all item writers, by name.
func (c Config) Writers() map[string]agent.Factory[agent.ItemWriter[Record]] {
	return map[string]agent.Factory[agent.ItemWriter[Record]]{
		SQLWriter:        c.newSQLWriter,
		CSVWriter:        c.newCSVWriter,
		JSONLinesWriter:  c.newJSONLinesWriter,
		FixedWidthWriter: c.newFixedWidthWriter,
	}
}

// Options registers all artifacts with an agent.
func Options(c Config) []agent.Option {
	var all []agent.Option
	for ref, run := range c.Batchlets() {
		all = append(all, agent.Batchlet(ref, run))
	}
	for ref, factory := range c.Readers() {
		all = append(all, agent.Reader(ref, factory))
	}
	for ref, factory := range c.Writers() {
		all = append(all, agent.Writer(ref, factory))
	}
	return append(all, agent.ErrorClasses(ErrorClasses()...))
}

// checkFiles refuses a property that names a file, if the agent does not let
// jobs touch files with its rights.
func (c *Config) checkFiles(p *properties, names ...string) {
	for _, name := range names {
		if c.NoFiles != "" && p.has(name) {
			p.faults = append(p.faults, fmt.Sprintf("property %s: %s", name, c.NoFiles))
		}
	}
}

// wait waits for a time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
