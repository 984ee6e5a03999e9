package builtin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// pointerText returns what a JSON pointer (RFC 6901) finds in a document: the
// text of a string, or the JSON of another value.
func pointerText(document []byte, pointer string) (string, error) {
	if pointer != "" && !strings.HasPrefix(pointer, "/") {
		return "", errors.New("a JSON pointer begins with /")
	}
	value := json.RawMessage(document)
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		member, err := memberOf(value, token)
		if err != nil {
			return "", err
		}
		value = member
	}
	var text string
	if json.Unmarshal(value, &text) == nil && strings.HasPrefix(strings.TrimSpace(string(value)), `"`) {
		return text, nil
	}
	if !json.Valid(value) {
		return "", errors.New("the body is not JSON")
	}
	return strings.TrimSpace(string(value)), nil
}

func memberOf(value json.RawMessage, token string) (json.RawMessage, error) {
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) == nil && object != nil {
		if member, ok := object[token]; ok {
			return member, nil
		}
		return nil, fmt.Errorf("there is no member %.60q", token)
	}
	var items []json.RawMessage
	if json.Unmarshal(value, &items) == nil && items != nil {
		if i, err := strconv.ParseUint(token, 10, 31); err == nil && int(i) < len(items) {
			return items[i], nil
		}
		return nil, fmt.Errorf("there is no item %.60q among %d", token, len(items))
	}
	if !json.Valid(value) {
		return nil, errors.New("the body is not JSON")
	}
	return nil, fmt.Errorf("there is no member %.60q: its parent is no object or array", token)
}
