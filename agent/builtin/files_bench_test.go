package builtin_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

// fileFormats are the formats with items of five fields.
var fileFormats = []struct {
	name, reader, writer string
	properties           map[string]string // of both
	types                map[string]string
}{
	{"CSV", builtin.CSVReader, builtin.CSVWriter, map[string]string{"columns": "id,name,town,amount,note"}, map[string]string{"type.id": "integer"}},
	{"JSON lines", builtin.JSONLinesReader, builtin.JSONLinesWriter, nil, nil},
	{"fixed width", builtin.FixedWidthReader, builtin.FixedWidthWriter,
		map[string]string{"fields": "id:8:right:0,name:20,town:16,amount:10:right,note:20"}, map[string]string{"type.id": "integer"}},
}

func benchItems(n int) []builtin.Record {
	var items []builtin.Record
	for i := range n {
		items = append(items, builtin.Record{"id": int64(i), "name": fmt.Sprintf("Customer %d", i), "town": "Zürich", "amount": "1234.50", "note": "nothing, really"})
	}
	return items
}

// BenchmarkFileReaders reads items of about 60 bytes. An iteration is one item.
func BenchmarkFileReaders(b *testing.B) {
	for _, format := range fileFormats {
		b.Run(format.name, func(b *testing.B) {
			const items = 20_000
			file := filepath.Join(b.TempDir(), "file")
			if err := writeFile(b, format.writer, file, format.properties, benchItems(items)); err != nil {
				b.Fatal(err)
			}
			properties := with(format.types, "file", file)
			for name, value := range format.properties {
				properties[name] = value
			}
			r, err := newFileReader(b, format.reader, properties)
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			b.SetBytes(int64(len(fileText(b, file)) / items))
			b.ReportAllocs()
			for n := 0; n < b.N; {
				if err := r.Open(ctx, nil); err != nil {
					b.Fatal(err)
				}
				for ; n < b.N; n++ {
					if _, err := r.ReadItem(ctx); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				_ = r.Close(ctx)
			}
		})
	}
}

// BenchmarkFileWriters writes chunks of 1,000 items without their commits. An
// iteration is one item.
func BenchmarkFileWriters(b *testing.B) {
	for _, format := range fileFormats {
		b.Run(strings.ReplaceAll(format.name, " ", "_"), func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "file")
			chunk := benchItems(1000)
			if err := writeFile(b, format.writer, file, format.properties, chunk); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(fileText(b, file)) / len(chunk)))
			w := newFileWriter(b, format.writer, with(format.properties, "file", file))
			ctx := context.Background()
			b.ReportAllocs()
			for n := 0; n < b.N; n += len(chunk) {
				// The file begins again, so that it does not fill the disk.
				if n%100_000 == 0 {
					if n > 0 {
						_ = w.Close(ctx)
					}
					if err := w.Open(ctx, nil); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.WriteItems(ctx, chunk[:min(len(chunk), b.N-n)]); err != nil {
					b.Fatal(err)
				}
			}
			_ = w.Close(ctx)
		})
	}
}
