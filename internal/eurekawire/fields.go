package eurekawire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// This file holds what JSON and XML share: the meaning of each field. Its setters take the text of a value and return what is wrong
// with it, "" for nothing; the readers know where that was.

const (
	defaultPort       = 7001
	defaultSecurePort = 7002
	defaultRenewal    = 30
	defaultDuration   = 90
)

// newInstance returns an instance with the values that Java gives to missing fields.
func newInstance() *Instance {
	return &Instance{
		Port:             Port{Number: defaultPort, Enabled: true},
		SecurePort:       Port{Number: defaultSecurePort},
		CountryID:        1,
		Status:           Up,
		OverriddenStatus: Unknown,
	}
}

// finish fills what follows from other fields once all are read.
func (d *decoder) finish(in *Instance) {
	in.Metadata = unique(in.Metadata)
	in.DataCenter.Metadata = unique(in.DataCenter.Metadata)
	if in.DataCenter.Class != AmazonClass && !d.fromServer {
		in.DataCenter.Metadata = nil // Java's other classes have none
	}
	if in.InstanceID == "" && in.DataCenter.Class == AmazonClass {
		in.InstanceID, _ = in.DataCenter.Metadata.Get("instance-id")
	}
	if in.InstanceID == "" {
		in.InstanceID = in.HostName
	}
}

// setField stores a field of an instance that is plain text in both formats, and reports whether there is one of that name.
func setField(in *Instance, name, value []byte) (known bool, problem string) {
	switch string(name) {
	case "instanceId":
		in.InstanceID = string(value)
	case "hostName":
		in.HostName = string(value)
	case "app":
		in.App = strings.ToUpper(string(value))
	case "appGroupName":
		in.AppGroupName = strings.ToUpper(string(value))
	case "ipAddr":
		in.IPAddr = string(value)
	case "sid":
		in.Sid = text(value)
	case "countryId":
		return true, setInt(&in.CountryID, value)
	case "homePageUrl":
		in.HomePageURL = string(value)
	case "statusPageUrl":
		in.StatusPageURL = string(value)
	case "healthCheckUrl":
		in.HealthCheckURL = string(value)
	case "secureHealthCheckUrl":
		in.SecureHealthCheckURL = string(value)
	case "vipAddress":
		in.VIPAddress = string(value)
	case "secureVipAddress":
		in.SecureVIPAddress = string(value)
	case "asgName":
		in.ASGName = string(value)
	case "isCoordinatingDiscoveryServer":
		in.Coordinating = isTrue(value)
	case "status":
		in.Status, _ = ParseStatus(string(value))
	case "overriddenstatus", "overriddenStatus":
		in.OverriddenStatus, _ = ParseStatus(string(value))
	case "lastUpdatedTimestamp":
		return true, setTime(&in.LastUpdated, value)
	case "lastDirtyTimestamp":
		return true, setTime(&in.LastDirty, value)
	case "actionType":
		in.ActionType = action(value)
	default:
		return false, ""
	}
	return true, ""
}

// setLease stores a field of leaseInfo; unknown ones are ignored.
func setLease(l *Lease, name, value []byte) (problem string) {
	switch string(name) {
	case "renewalIntervalInSecs":
		return setInt(&l.RenewalIntervalSecs, value)
	case "durationInSecs":
		return setInt(&l.DurationSecs, value)
	case "registrationTimestamp":
		return setTime(&l.Registration, value)
	case "lastRenewalTimestamp", "renewalTimestamp":
		return setTime(&l.LastRenewal, value)
	case "evictionTimestamp":
		return setTime(&l.Eviction, value)
	case "serviceUpTimestamp":
		return setTime(&l.ServiceUp, value)
	}
	return ""
}

// finishLease gives a lease without usable periods those of Java's LeaseInfo.
func finishLease(l *Lease) {
	if l.RenewalIntervalSecs <= 0 {
		l.RenewalIntervalSecs = defaultRenewal
	}
	if l.DurationSecs <= 0 {
		l.DurationSecs = defaultDuration
	}
}

// setDataCenter stores the class and name of a data centre that was present, each possibly empty. From clients only Netflix's own are
// accepted. The class decides if there is one and it is trusted (JSON); else the name does (XML).
func (d *decoder) setDataCenter(dc *DataCenter, class, name []byte, classDecides bool) (problem string) {
	dc.Name = text(name)
	if d.fromServer {
		if dc.Class = text(class); dc.Class == "" {
			dc.Class = dc.class()
		}
		return ""
	}
	switch dc.Name {
	case "", MyOwn, Amazon, Netflix:
	default:
		return fmt.Sprintf("data centre %s is not known, want MyOwn, Amazon or Netflix", quote(name))
	}
	dc.Class = ""
	if classDecides {
		switch string(class) {
		case "":
		case AmazonClass:
			dc.Class, dc.Name = AmazonClass, Amazon
		case DefaultClass, myOwnClass:
			dc.Class = DefaultClass
		default:
			return fmt.Sprintf("class %s is not a data centre, want %s or %s", quote(class), DefaultClass, AmazonClass)
		}
	}
	dc.Class = dc.class()
	return ""
}

func setPort(p *Port, value []byte) (problem string) {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	if err != nil || n < 0 || n > math.MaxUint16 {
		return quote(value) + " is not a port, want 0 to 65535"
	}
	p.Number = int(n)
	return ""
}

// setInt stores a number that is an int in Java.
func setInt(n *int, value []byte) (problem string) {
	v, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 32)
	if err != nil {
		return quote(value) + " is not a whole number of 32 bits"
	}
	*n = int(v)
	return ""
}

func setTime(ms *int64, value []byte) (problem string) {
	v, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	if err != nil {
		return quote(value) + " is not a time in milliseconds"
	}
	*ms = v
	return ""
}

// isTrue reads a boolean as java.lang.Boolean.valueOf does: everything but "true" is false.
func isTrue(value []byte) bool { return strings.EqualFold(string(bytes.TrimSpace(value)), "true") }

// action reads an action type; what is none is left out.
func action(value []byte) ActionType {
	switch string(bytes.TrimSpace(value)) {
	case string(Added):
		return Added
	case string(Modified):
		return Modified
	case string(Deleted):
		return Deleted
	}
	return ""
}

// text returns a value as a string, without allocating for the words that nearly every instance has.
func text(value []byte) string {
	switch string(value) {
	case DefaultClass:
		return DefaultClass
	case AmazonClass:
		return AmazonClass
	case MyOwn:
		return MyOwn
	case Amazon:
		return Amazon
	case Netflix:
		return Netflix
	case "na":
		return "na"
	}
	return string(value)
}

// unique keeps the last value of each key at the key's first place. It changes pairs.
func unique(pairs Pairs) Pairs {
	const few = 16 // up to here comparing all is cheaper than a map
	if len(pairs) > few {
		return uniqueByMap(pairs)
	}
	kept := pairs[:0]
next:
	for _, p := range pairs {
		for i := range kept {
			if kept[i].Key == p.Key {
				kept[i].Value = p.Value
				continue next
			}
		}
		kept = append(kept, p)
	}
	return kept
}

func uniqueByMap(pairs Pairs) Pairs {
	place := make(map[string]int, len(pairs))
	kept := pairs[:0]
	for _, p := range pairs {
		if i, found := place[p.Key]; found {
			kept[i].Value = p.Value
			continue
		}
		place[p.Key] = len(kept)
		kept = append(kept, p)
	}
	return kept
}
