package builtin

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// appendText appends a value that is not nil as the text of a field:
//
//	string, json.Number   as it is
//	bool                  true, false
//	int64, float64        decimal; large and small float64 as 1e+21; NaN, Infinity
//	time.Time             RFC 3339
//	[]byte                base64
//	other types           JSON
func appendText(to []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return append(to, v...), nil
	case json.Number:
		return append(to, v...), nil
	case bool:
		return strconv.AppendBool(to, v), nil
	case int64:
		return strconv.AppendInt(to, v, 10), nil
	case int:
		return strconv.AppendInt(to, int64(v), 10), nil
	case float64:
		return appendFloat(to, v), nil
	case time.Time:
		return v.AppendFormat(to, time.RFC3339Nano), nil
	case []byte:
		return base64.StdEncoding.AppendEncode(to, v), nil
	}
	return appendJSON(to, value)
}

// appendFloat appends a number with as many digits as it needs, and with an
// exponent where JSON has one too.
func appendFloat(to []byte, v float64) []byte {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return append(to, "NaN"...)
	case math.IsInf(v, 1):
		return append(to, "Infinity"...)
	case math.IsInf(v, -1):
		return append(to, "-Infinity"...)
	case size != 0 && (size < 1e-6 || size >= 1e21):
		return strconv.AppendFloat(to, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(to, v, 'f', -1, 64)
}
