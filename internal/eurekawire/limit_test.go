package eurekawire

import (
	"strings"
	"testing"
)

// It is tested from within, with the count near its end, because a list that reaches it takes seconds to read.
func TestListsAreBounded(t *testing.T) {
	const json = `{"applications":{"application":[{"instance":[{},{"port":-1}]},{}]}}`
	const xml = `<applications><application><instance/><instance><port/></instance></application><application/></applications>`
	for room, want := range map[int]bool{4: true, 3: false, 2: false, 1: false} { // two applications, two instances, one of them bad
		d := decoder{fromServer: true, entries: MaxEntries - room}
		_, errJSON := d.jsonApplicationsDocument([]byte(json))
		d = decoder{fromServer: true, entries: MaxEntries - room}
		_, errXML := d.xmlApplicationsDocument([]byte(xml))
		for _, err := range []error{errJSON, errXML} {
			if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "more than 2097152 applications and instances") {
				t.Errorf("with room for %d entries: %v", room, err)
			}
		}
	}
}
