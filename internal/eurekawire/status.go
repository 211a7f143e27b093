package eurekawire

import (
	"strconv"
	"strings"
)

// Status is an instance status in Eureka's own words. The zero value is written as UNKNOWN.
type Status string

// The statuses of Eureka.
const (
	Up           Status = "UP"
	Down         Status = "DOWN"
	Starting     Status = "STARTING"
	OutOfService Status = "OUT_OF_SERVICE"
	Unknown      Status = "UNKNOWN"
)

// ParseStatus reads a status without regard to case and surrounding space. It returns Unknown and false for any other word.
func ParseStatus(s string) (Status, bool) {
	s = strings.TrimSpace(s)
	for _, known := range hashOrder {
		if strings.EqualFold(s, string(known)) {
			return known, true
		}
	}
	return Unknown, false
}

// Counts is the number of instances per status, in the order of the hash. The zero value counts nothing; Counts are comparable.
type Counts [5]int

// hashOrder is the order of java.util.TreeMap<String,…>: by name.
var hashOrder = [5]Status{Down, OutOfService, Starting, Unknown, Up}

// Add adds n, which may be negative, to the count of s. A word that is no status counts as Unknown.
func (c *Counts) Add(s Status, n int) {
	for i, known := range hashOrder {
		if s == known {
			c[i] += n
			return
		}
	}
	c[3] += n
}

// Hash returns the hash code of a registry with these counts, such as "DOWN_1_UP_3_"; "" for an empty one.
// Source: Netflix eureka, com.netflix.discovery.shared.Applications.getReconcileHashCode.
func (c Counts) Hash() string { return string(c.AppendHash(nil)) }

// AppendHash appends Hash to b.
func (c Counts) AppendHash(b []byte) []byte {
	for i, n := range c {
		if n <= 0 {
			continue
		}
		b = append(b, hashOrder[i]...)
		b = append(b, '_')
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, '_')
	}
	return b
}
