package bus

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decode reads what was stored. It is twice as fast as encoding/json, and decoding results and records is a tenth
// of the bus's work. Bad UTF-8 of an agent is replaced, not refused: its result must be read all the same.
func decode(data []byte, v any) error {
	return json.Unmarshal(data, v, jsontext.AllowInvalidUTF8(true))
}
