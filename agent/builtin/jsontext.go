package builtin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// appendJSON appends a value as JSON. Its errors say what is wanted.
func appendJSON(to []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(to, "null"...), nil
	case string:
		return jsontext.AppendQuote(to, v)
	case bool:
		return strconv.AppendBool(to, v), nil
	case int64:
		return strconv.AppendInt(to, v, 10), nil
	case float64:
		if v-v != 0 { // JSON has no NaN and no infinity
			return to, fmt.Errorf("want a number, got %v", v)
		}
		return appendFloat(to, v), nil
	case json.Number:
		if !isNumber(string(v)) {
			return to, fmt.Errorf("want a number, got %.60q", string(v))
		}
		return append(to, v...), nil
	case time.Time:
		return append(v.AppendFormat(append(to, '"'), time.RFC3339Nano), '"'), nil
	case []byte:
		return append(base64.StdEncoding.AppendEncode(append(to, '"'), v), '"'), nil
	case []any:
		return appendArray(to, v)
	case map[string]any:
		return appendObject(to, v, slices.Sorted(maps.Keys(v)))
	}
	text, err := json.Marshal(value)
	return append(to, text...), err
}

func appendArray(to []byte, values []any) (_ []byte, err error) {
	to = append(to, '[')
	for i, v := range values {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = appendJSON(to, v); err != nil {
			return to, err
		}
	}
	return append(to, ']'), nil
}

// appendObject appends the members that names lists, in that order.
func appendObject(to []byte, members map[string]any, names []string) (_ []byte, err error) {
	to = append(to, '{')
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = jsontext.AppendQuote(to, name); err != nil {
			return to, err
		}
		to = append(to, ':')
		if to, err = appendJSON(to, members[name]); err != nil {
			return to, err
		}
	}
	return append(to, '}'), nil
}
