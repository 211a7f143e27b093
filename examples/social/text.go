package social

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// text is a string that may be written as a number in JSON, as clients of the sample do with ids. What Python calls false
// (null, "", 0, false, an empty list or object) is "".
type text string

// UnmarshalJSON reads a string, a number, or nothing.
func (t *text) UnmarshalJSON(b []byte) error {
	switch b = bytes.TrimSpace(b); string(b) {
	case "null", "0", "false", "[]", "{}":
		*t = ""
		return nil
	}
	switch {
	case b[0] == '"':
		return json.Unmarshal(b, (*string)(t))
	case b[0] == '-' || '0' <= b[0] && b[0] <= '9':
		*t = text(b)
		return nil
	}
	return fmt.Errorf("want a string or a number, not %.20s", b)
}
