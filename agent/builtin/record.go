package builtin

// Record is the item of all readers and writers of this package: the values of a
// line of a file, or of a row of a table, by the name of the field. So each
// reader can feed each writer, and a processor of an agent in Go is an
// agent.ItemProcessor[Record, Record]. A value is nil, a string, bool, int64,
// float64, json.Number, []byte or time.Time; readers of JSON also return []any
// and map[string]any.
type Record = map[string]any
