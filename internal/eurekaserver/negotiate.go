package eurekaserver

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/muster-go/muster/internal/eurekawire"
)

// The headers that are Eureka's own, in canonical form.
const (
	eurekaAccept = "X-Eureka-Accept"
	replication  = "X-Netflix-Discovery-Replication"
)

// listForm is the form of lists: whoever mentions JSON gets it, everybody else XML.
func listForm(r *http.Request) eurekawire.Form {
	return eurekawire.FormFor(r.Header.Get("Accept"), r.Header.Get(eurekaAccept))
}

// instanceForm is the form of a single instance: JSON if it is liked better than XML.
// Source: Netflix eureka, InstanceResource: @Produces({"application/xml", "application/json"}).
func instanceForm(r *http.Request) eurekawire.Form {
	accept := r.Header.Get("Accept")
	if !strings.Contains(accept, "json") {
		return eurekawire.XMLFull
	}
	json := liking(accept, "application/json", "application/*", "*/*")
	xml := liking(accept, "application/xml", "application/*", "*/*")
	if json > xml || xml <= 0 {
		return eurekawire.JSONFull
	}
	return eurekawire.XMLFull
}

// takesText reports whether the client takes a line of text for an answer. Spring's asks for JSON alone and tries to read what comes
// otherwise: it then complains of the form, and its log has neither the status nor the line.
// Source: Spring Cloud Netflix, RestTemplateEurekaHttpClient; Spring, HttpMessageConverterExtractor.
func takesText(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return accept == "" || liking(accept, "text/plain", "text/*", "*/*") > 0
}

// wantsGzip reports whether the answer may be compressed: only if the client says so.
func wantsGzip(r *http.Request) bool {
	accept := r.Header.Get("Accept-Encoding")
	return accept != "" && liking(accept, "gzip", "x-gzip", "*") > 0
}

// replicated reports whether a request comes from another server. Source: Netflix eureka, PeerEurekaNode.HEADER_REPLICATION.
func replicated(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get(replication), "true")
}

// liking returns how much a header with a list of names and q values likes the first of names that it mentions, from 0 to 1; -1 if
// it mentions none. Source: RFC 9110, section 12.4.2.
func liking(header string, names ...string) float64 {
	for _, name := range names {
		for entry := range strings.SplitSeq(header, ",") {
			word, rest, _ := strings.Cut(entry, ";")
			if strings.EqualFold(strings.TrimSpace(word), name) {
				return weightOf(rest)
			}
		}
	}
	return -1
}

// weightOf returns the q among the parameters of an entry, 1 without one, 0 if it is no number.
func weightOf(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
