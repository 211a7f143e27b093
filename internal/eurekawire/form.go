package eurekawire

import "strings"

// Form is one of the four ways to write the same thing. Its values run from 0 to Forms-1, so arrays can be indexed by it.
type Form uint8

// The forms. The compact ones leave out metadata, lease and URLs.
const (
	XMLFull Form = iota
	XMLCompact
	JSONFull
	JSONCompact
	Forms = 4 // how many there are
)

// FormFor chooses the form of an answer from the request headers Accept and X-Eureka-Accept: JSON if Accept contains "json",
// compact if X-Eureka-Accept says so in any case; everything else, absent headers included, is full XML.
// Source: Netflix eureka, ApplicationsResource.getContainers and EurekaAccept.fromString.
func FormFor(accept, eurekaAccept string) Form {
	f := XMLFull
	if strings.Contains(accept, "json") {
		f = JSONFull
	}
	if strings.EqualFold(strings.TrimSpace(eurekaAccept), "compact") {
		f++
	}
	return f
}

// JSON reports whether f is a JSON form; the others are XML.
func (f Form) JSON() bool { return f == JSONFull || f == JSONCompact }

// Compact reports whether f is a compact form; the others are full.
func (f Form) Compact() bool { return f == XMLCompact || f == JSONCompact }

// ContentType returns the media type of f as Eureka's server sends it: without charset, the bytes are UTF-8.
func (f Form) ContentType() string {
	if f.JSON() {
		return "application/json"
	}
	return "application/xml"
}

// Separator returns what stands between two instances or two applications of a list: a comma in JSON, nothing in XML.
func (f Form) Separator() string {
	if f.JSON() {
		return ","
	}
	return ""
}

// String returns the name of f, for messages.
func (f Form) String() string {
	return [Forms]string{"full XML", "compact XML", "full JSON", "compact JSON"}[f%Forms]
}
