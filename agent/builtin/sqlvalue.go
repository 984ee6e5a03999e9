package builtin

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// columnKind tells how to read the values of a column.
type columnKind int

const (
	textColumn columnKind = iota
	binaryColumn
	decimalColumn
	timeColumn
	realColumn // float32
	enumColumn // MySQL sorts it by its numbers, and compares it by its texts
)

// columnKinds returns the kinds of the columns of a result.
func columnKinds(rows *sql.Rows) (names []string, kinds []columnKind, err error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range types {
		names, kinds = append(names, t.Name()), append(kinds, kindOf(strings.ToUpper(t.DatabaseTypeName())))
	}
	return names, kinds, nil
}

func kindOf(databaseType string) columnKind {
	switch databaseType {
	case "DECIMAL", "NUMERIC", "UNSIGNED BIGINT":
		return decimalColumn
	case "DATE", "DATETIME", "TIMESTAMP", "TIMESTAMPTZ":
		return timeColumn
	case "FLOAT4":
		return realColumn
	case "ENUM", "SET":
		return enumColumn
	case "BYTEA", "BIT", "GEOMETRY":
		return binaryColumn
	}
	if strings.Contains(databaseType, "BLOB") || strings.Contains(databaseType, "BINARY") {
		return binaryColumn
	}
	return textColumn
}

// decimalText is a number that is exact as text.
var decimalText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// recordValue returns the value of a [Record] for one of the driver. Decimals
// lose no digits. A date of MySQL that is no time, such as 0000-00-00, is a
// text.
func recordValue(v any, kind columnKind) any {
	switch v := v.(type) {
	case []byte:
		if kind == binaryColumn {
			return v
		}
		return recordValue(string(v), kind)
	case string:
		switch {
		case kind == decimalColumn && decimalText.MatchString(v):
			return json.Number(v)
		case kind == timeColumn:
			if t, err := time.Parse("2006-01-02 15:04:05", v); err == nil { // also with a fraction
				return t
			}
			if t, err := time.Parse(time.DateOnly, v); err == nil {
				return t
			}
		}
		return v
	case float64:
		if kind == realColumn {
			return recordValue(float32(v), kind)
		}
	case float32:
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
		return f
	case uint64:
		if v > math.MaxInt64 {
			return json.Number(strconv.FormatUint(v, 10))
		}
		return int64(v)
	}
	return v
}

// keyValue is a value of a key column, exactly as the database has it.
type keyValue struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// newKeyValue returns the key value for one of the driver.
func newKeyValue(v any, kind columnKind) (keyValue, error) {
	if kind == enumColumn {
		return keyValue{}, fmt.Errorf("want another type than enum")
	}
	switch v := v.(type) {
	case nil:
		return keyValue{}, fmt.Errorf("want a column without NULL")
	case int64:
		return keyValue{"int", strconv.FormatInt(v, 10)}, nil
	case uint64:
		return keyValue{"decimal", strconv.FormatUint(v, 10)}, nil
	case float32:
		return newKeyValue(float64(v), kind)
	case float64:
		return keyValue{"float", strconv.FormatFloat(v, 'g', -1, 64)}, nil
	case bool:
		return keyValue{"bool", strconv.FormatBool(v)}, nil
	case time.Time:
		return keyValue{"time", v.Format(time.RFC3339Nano)}, nil
	case []byte:
		if kind == binaryColumn {
			return keyValue{"bytes", base64.StdEncoding.EncodeToString(v)}, nil
		}
		return newKeyValue(string(v), kind)
	case string:
		if kind == decimalColumn && decimalText.MatchString(v) {
			return keyValue{"decimal", v}, nil
		}
		return keyValue{"text", v}, nil
	}
	return keyValue{}, fmt.Errorf("want another type than %T", v)
}

// argument returns the value for the driver.
func (k keyValue) argument() (v any, err error) {
	switch k.Type {
	case "int":
		v, err = strconv.ParseInt(k.Value, 10, 64)
	case "float":
		v, err = strconv.ParseFloat(k.Value, 64)
	case "bool":
		v, err = strconv.ParseBool(k.Value)
	case "time":
		v, err = time.Parse(time.RFC3339Nano, k.Value)
	case "bytes":
		v, err = base64.StdEncoding.DecodeString(k.Value)
	case "text":
		v = k.Value
	case "decimal":
		if v = k.Value; !decimalText.MatchString(k.Value) {
			err = fmt.Errorf("want a number, got %.60q", k.Value)
		}
	default:
		err = fmt.Errorf("the type %.60q is unknown", k.Type)
	}
	return v, err
}
