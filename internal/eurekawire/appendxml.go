package eurekawire

import (
	"strconv"
	"unicode/utf8"
)

// xmlWriter appends elements to b: on one line, or, if pretty, each on its own line indented by two spaces per level.
type xmlWriter struct {
	b      []byte
	level  int
	pretty bool
}

// instance writes one instance element; full if pretty, else compact. The order is that of the JSON forms.
func (w *xmlWriter) instance(in *Instance) {
	w.open("instance")
	if w.pretty {
		w.full(in)
	} else {
		w.compact(in)
	}
	w.close("instance")
}

func (w *xmlWriter) full(in *Instance) {
	w.optional("instanceId", in.InstanceID)
	w.optional("hostName", in.HostName)
	w.optional("app", in.App)
	w.optional("ipAddr", in.IPAddr)
	w.optional("sid", in.sid())
	w.optional("status", in.Status.word())
	w.optional("overriddenstatus", in.OverriddenStatus.word())
	w.port("port", in.Port)
	w.port("securePort", in.SecurePort)
	w.int("countryId", in.country())
	w.dataCenter(&in.DataCenter)
	w.lease(&in.Lease)
	w.pairs(in.Metadata)
	w.optional("appGroupName", in.AppGroupName)
	w.optional("homePageUrl", in.HomePageURL)
	w.optional("statusPageUrl", in.StatusPageURL)
	w.optional("healthCheckUrl", in.HealthCheckURL)
	w.optional("secureHealthCheckUrl", in.SecureHealthCheckURL)
	w.optional("vipAddress", in.VIPAddress)
	w.optional("secureVipAddress", in.SecureVIPAddress)
	w.bool("isCoordinatingDiscoveryServer", in.Coordinating)
	w.time("lastUpdatedTimestamp", in.LastUpdated)
	w.time("lastDirtyTimestamp", in.LastDirty)
	w.optional("actionType", string(in.ActionType))
	w.optional("asgName", in.ASGName)
}

func (w *xmlWriter) compact(in *Instance) {
	w.optional("instanceId", in.InstanceID)
	w.optional("app", in.App)
	w.optional("ipAddr", in.IPAddr)
	w.optional("vipAddress", in.VIPAddress)
	w.optional("secureVipAddress", in.SecureVIPAddress)
	w.dataCenter(&in.DataCenter)
	w.optional("hostName", in.HostName)
	w.optional("status", in.Status.word())
	w.time("lastUpdatedTimestamp", in.LastUpdated)
	w.optional("actionType", string(in.ActionType))
	w.port("port", in.Port)
	w.port("securePort", in.SecurePort)
}

func (w *xmlWriter) head(h Head) {
	w.text("versions__delta", h.Version)
	w.text("apps__hashcode", h.HashCode)
}

func (w *xmlWriter) port(name string, p Port) {
	w.indent()
	w.raw("<", name, ` enabled="`, claim(p.Enabled), `">`)
	w.b = strconv.AppendInt(w.b, int64(p.Number), 10)
	w.tail(name)
}

func (w *xmlWriter) dataCenter(d *DataCenter) {
	if d.absent() {
		return
	}
	class := d.class()
	w.indent()
	w.raw(`<dataCenterInfo class="`)
	w.b = appendXMLText(w.b, class)
	w.raw(`">`)
	w.line()
	w.level++
	w.optional("name", d.Name)
	if class == AmazonClass {
		w.pairs(d.Metadata)
	}
	w.close("dataCenterInfo")
}

func (w *xmlWriter) lease(l *Lease) {
	if *l == (Lease{}) {
		return
	}
	w.open("leaseInfo")
	w.int("renewalIntervalInSecs", int64(l.RenewalIntervalSecs))
	w.int("durationInSecs", int64(l.DurationSecs))
	w.int("registrationTimestamp", l.Registration)
	w.int("lastRenewalTimestamp", l.LastRenewal)
	w.int("evictionTimestamp", l.Eviction)
	w.int("serviceUpTimestamp", l.ServiceUp)
	w.close("leaseInfo")
}

// pairs writes a metadata element. Keys are escaped into element names; an empty key has no such name and is left out.
func (w *xmlWriter) pairs(pairs Pairs) {
	if w.pretty && len(pairs) == 0 {
		w.indent()
		w.raw(`<metadata class="java.util.Collections$EmptyMap"/>`)
		w.line()
		return
	}
	w.open("metadata")
	for i := range pairs {
		key := pairs[i].Key
		if key == "" || !w.pretty && !compactKey(key) {
			continue
		}
		w.indent()
		w.raw("<")
		w.b = appendXMLName(w.b, key)
		w.raw(">")
		w.b = appendXMLText(w.b, pairs[i].Value)
		w.raw("</")
		w.b = appendXMLName(w.b, key)
		w.raw(">")
		w.line()
	}
	w.close("metadata")
}

func (w *xmlWriter) optional(name, s string) {
	if s != "" {
		w.text(name, s)
	}
}

func (w *xmlWriter) text(name, s string) {
	w.indent()
	w.raw("<", name, ">")
	w.b = appendXMLText(w.b, s)
	w.tail(name)
}

func (w *xmlWriter) bool(name string, v bool) { w.text(name, claim(v)) }

func (w *xmlWriter) time(name string, ms int64) {
	if ms != 0 {
		w.int(name, ms)
	}
}

func (w *xmlWriter) int(name string, n int64) {
	w.indent()
	w.raw("<", name, ">")
	w.b = strconv.AppendInt(w.b, n, 10)
	w.tail(name)
}

func (w *xmlWriter) open(name string) {
	w.indent()
	w.raw("<", name, ">")
	w.line()
	w.level++
}

func (w *xmlWriter) close(name string) {
	w.level--
	w.indent()
	w.tail(name)
}

// end closes the root element of a document.
func (w *xmlWriter) end(name string) {
	w.close(name)
	w.endDocument()
}

// endDocument removes the line end after the root element, which Java does not write.
func (w *xmlWriter) endDocument() {
	if w.pretty {
		w.b = w.b[:len(w.b)-1]
	}
}

func (w *xmlWriter) tail(name string) {
	w.raw("</", name, ">")
	w.line()
}

func (w *xmlWriter) indent() {
	const spaces = "                " // eight levels; an Amazon key in a list has five
	if w.pretty {
		w.b = append(w.b, spaces[:2*w.level]...)
	}
}

func (w *xmlWriter) line() {
	if w.pretty {
		w.b = append(w.b, '\n')
	}
}

func (w *xmlWriter) raw(parts ...string) {
	for _, s := range parts {
		w.b = append(w.b, s...)
	}
}

// appendXMLText appends s with the escapes of XStream's PrettyPrintWriter: the five named ones, and CR and other control characters
// by number. Unlike Java it writes U+FFFD for what no XML 1.0 reader accepts even by number (most characters below U+0020, U+FFFE,
// U+FFFF, bytes that are not UTF-8), because one such character in one instance would make the whole list unreadable.
func appendXMLText(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		escape := ""
		switch {
		case r == '&':
			escape = "&amp;"
		case r == '<':
			escape = "&lt;"
		case r == '>':
			escape = "&gt;"
		case r == '"':
			escape = "&quot;"
		case r == '\'':
			escape = "&apos;"
		case r == '\r':
			escape = "&#xd;"
		case r >= 0x7f && r < 0xa0:
			escape = "&#x"
		case r == utf8.RuneError && size == 1, !xmlChar(r):
			escape = "\ufffd"
		default:
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		b = append(b, escape...)
		if escape == "&#x" {
			b = strconv.AppendInt(b, int64(r), 16)
			b = append(b, ';')
		}
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

// xmlChar reports whether XML 1.0 allows r in a document.
func xmlChar(r rune) bool {
	if r < ' ' {
		return r == '\t' || r == '\n' || r == '\r'
	}
	return r != 0xfffe && r != 0xffff && (r < 0xd800 || r > 0xdfff) && r <= utf8.MaxRune
}
