package eurekawire

import (
	"strconv"
	"unicode/utf8"
)

// appendJSONInstance appends the object of one instance. The order is Netflix's: InstanceInfoSerializer, then the fields that
// InstanceInfo marks @Auto in the order of their declaration; compact is the order of its mini codec.
func appendJSONInstance(b []byte, in *Instance, compact bool) []byte {
	b = append(b, '{')
	if compact {
		b = appendJSONCompact(b, in)
	} else {
		b = appendJSONFull(b, in)
	}
	return append(b, '}')
}

func appendJSONFull(b []byte, in *Instance) []byte {
	b = appendJSONText(b, "instanceId", in.InstanceID)
	b = appendJSONText(b, "hostName", in.HostName)
	b = appendJSONText(b, "app", in.App)
	b = appendJSONText(b, "ipAddr", in.IPAddr)
	b = appendJSONText(b, "sid", in.sid())
	b = appendJSONText(b, "status", in.Status.word())
	b = appendJSONText(b, "overriddenStatus", in.OverriddenStatus.word())
	b = appendJSONPort(b, "port", in.Port)
	b = appendJSONPort(b, "securePort", in.SecurePort)
	b = appendJSONInt(b, "countryId", in.country())
	b = appendJSONDataCenter(b, &in.DataCenter, false)
	b = appendJSONLease(b, &in.Lease)
	b = appendJSONKey(b, "metadata")
	if len(in.Metadata) == 0 {
		b = append(b, `{"@class":"java.util.Collections$EmptyMap"}`...)
	} else {
		b = appendJSONPairs(b, in.Metadata, false)
	}
	b = appendJSONText(b, "appGroupName", in.AppGroupName)
	b = appendJSONText(b, "homePageUrl", in.HomePageURL)
	b = appendJSONText(b, "statusPageUrl", in.StatusPageURL)
	b = appendJSONText(b, "healthCheckUrl", in.HealthCheckURL)
	b = appendJSONText(b, "secureHealthCheckUrl", in.SecureHealthCheckURL)
	b = appendJSONText(b, "vipAddress", in.VIPAddress)
	b = appendJSONText(b, "secureVipAddress", in.SecureVIPAddress)
	b = appendJSONText(b, "isCoordinatingDiscoveryServer", claim(in.Coordinating))
	b = appendJSONTime(b, "lastUpdatedTimestamp", in.LastUpdated)
	b = appendJSONTime(b, "lastDirtyTimestamp", in.LastDirty)
	b = appendJSONText(b, "actionType", string(in.ActionType))
	return appendJSONText(b, "asgName", in.ASGName)
}

func appendJSONCompact(b []byte, in *Instance) []byte {
	b = appendJSONText(b, "instanceId", in.InstanceID)
	b = appendJSONText(b, "app", in.App)
	b = appendJSONText(b, "ipAddr", in.IPAddr)
	b = appendJSONText(b, "vipAddress", in.VIPAddress)
	b = appendJSONText(b, "secureVipAddress", in.SecureVIPAddress)
	b = appendJSONDataCenter(b, &in.DataCenter, true)
	b = appendJSONText(b, "hostName", in.HostName)
	b = appendJSONText(b, "status", in.Status.word())
	if in.LastUpdated != 0 {
		b = appendJSONInt(b, "lastUpdatedTimestamp", in.LastUpdated) // a number here, a string in the full form
	}
	b = appendJSONText(b, "actionType", string(in.ActionType))
	b = appendJSONPort(b, "port", in.Port)
	return appendJSONPort(b, "securePort", in.SecurePort)
}

func appendJSONHead(b []byte, h Head) []byte {
	b = append(b, `"versions__delta":`...)
	b = appendJSONString(b, h.Version)
	b = append(b, `,"apps__hashcode":`...)
	return appendJSONString(b, h.HashCode)
}

func appendJSONApplicationStart(b []byte, name string) []byte {
	b = append(b, `{"name":`...)
	b = appendJSONString(b, name)
	return append(b, `,"instance":[`...)
}

func appendJSONPort(b []byte, key string, p Port) []byte {
	b = appendJSONKey(b, key)
	b = append(b, `{"$":`...)
	b = strconv.AppendInt(b, int64(p.Number), 10)
	b = append(b, `,"@enabled":"`...)
	b = append(b, claim(p.Enabled)...)
	return append(b, `"}`...)
}

func appendJSONDataCenter(b []byte, d *DataCenter, compact bool) []byte {
	if d.absent() {
		return b
	}
	b = appendJSONKey(b, "dataCenterInfo")
	b = append(b, '{')
	class := d.class()
	b = appendJSONText(b, "@class", class)
	b = appendJSONText(b, "name", d.Name)
	if class == AmazonClass {
		b = appendJSONKey(b, "metadata")
		b = appendJSONPairs(b, d.Metadata, compact)
	}
	return append(b, '}')
}

func appendJSONLease(b []byte, l *Lease) []byte {
	if *l == (Lease{}) {
		return b
	}
	b = appendJSONKey(b, "leaseInfo")
	b = append(b, '{')
	b = appendJSONInt(b, "renewalIntervalInSecs", int64(l.RenewalIntervalSecs))
	b = appendJSONInt(b, "durationInSecs", int64(l.DurationSecs))
	b = appendJSONInt(b, "registrationTimestamp", l.Registration)
	b = appendJSONInt(b, "lastRenewalTimestamp", l.LastRenewal)
	b = appendJSONInt(b, "evictionTimestamp", l.Eviction)
	b = appendJSONInt(b, "serviceUpTimestamp", l.ServiceUp)
	return append(b, '}')
}

// appendJSONPairs appends a metadata object; compact keeps the few keys of Amazon's that the compact forms have.
func appendJSONPairs(b []byte, pairs Pairs, compact bool) []byte {
	b = append(b, '{')
	for i := range pairs {
		if compact && !compactKey(pairs[i].Key) {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendJSONString(b, pairs[i].Key)
		b = append(b, ':')
		b = appendJSONString(b, pairs[i].Value)
	}
	return append(b, '}')
}

// appendJSONText appends a string field, or nothing if value is empty.
func appendJSONText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendJSONString(appendJSONKey(b, key), value)
}

// appendJSONTime appends a timestamp as a string, as Java does in the full form, or nothing if it is 0.
func appendJSONTime(b []byte, key string, ms int64) []byte {
	if ms == 0 {
		return b
	}
	b = append(appendJSONKey(b, key), '"')
	return append(strconv.AppendInt(b, ms, 10), '"')
}

func appendJSONInt(b []byte, key string, n int64) []byte {
	return strconv.AppendInt(appendJSONKey(b, key), n, 10)
}

// appendJSONKey appends a key that needs no escaping, with a comma unless it is the first of its object. A value ends with a quote, a
// digit, a letter or a closing bracket, so a last byte of "{" means that the object has only been opened.
func appendJSONKey(b []byte, key string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

// appendJSONString appends s quoted, with the escapes of Jackson: short ones where JSON has them, \u00XX for other control
// characters, everything else as UTF-8. Bytes that are not UTF-8 become U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		b = appendJSONEscape(b, c)
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendJSONEscape(b []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	if c >= utf8.RuneSelf {
		return append(b, "\ufffd"...)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
