package eurekawire

// Instance is Eureka's InstanceInfo: one running copy of an application, as it travels.
//
// An empty string or a zero timestamp means "absent" and is not written. Timestamps are Unix milliseconds.
type Instance struct {
	InstanceID           string // unique within App; decoding fills it from Amazon's instance-id, else HostName
	HostName             string
	App                  string // upper-case once decoded
	AppGroupName         string // upper-case once decoded
	IPAddr               string
	Sid                  string // obsolete; "na" and "unknown" are not written
	Port                 Port   // decoding defaults to 7001, enabled
	SecurePort           Port   // decoding defaults to 7002, disabled
	CountryID            int    // obsolete; 0 is written as 1
	DataCenter           DataCenter
	Lease                Lease
	Metadata             Pairs
	HomePageURL          string
	StatusPageURL        string
	HealthCheckURL       string
	SecureHealthCheckURL string
	VIPAddress           string // comma-separated list
	SecureVIPAddress     string
	ASGName              string
	Coordinating         bool // isCoordinatingDiscoveryServer
	Status               Status
	OverriddenStatus     Status
	LastUpdated          int64 // set by the server whenever the instance changes
	LastDirty            int64 // set by the client whenever its own view changes
	ActionType           ActionType
}

// Port is a port number, 0 to 65535, and whether the instance listens on it.
type Port struct {
	Number  int
	Enabled bool
}

// DataCenter says where an instance runs. The zero value means that the instance did not say.
type DataCenter struct {
	Class    string // Java class name; "" is written as the class that belongs to Name
	Name     string // MyOwn, Amazon or Netflix
	Metadata Pairs  // written for AmazonClass only
}

// The two Java classes of DataCenter. DefaultClass also stands for com.netflix.appinfo.MyDataCenterInfo, as it does in Java.
const (
	DefaultClass = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"
	AmazonClass  = "com.netflix.appinfo.AmazonInfo"
)

const myOwnClass = "com.netflix.appinfo.MyDataCenterInfo"

// The names a data centre can have.
const (
	MyOwn   = "MyOwn"
	Amazon  = "Amazon"
	Netflix = "Netflix"
)

// class returns the class to write for d: its own, or the one that belongs to its name.
func (d *DataCenter) class() string {
	switch {
	case d.Class != "":
		return d.Class
	case d.Name == Amazon:
		return AmazonClass
	}
	return DefaultClass
}

// absent reports whether the instance did not name a data centre.
func (d *DataCenter) absent() bool { return d.Class == "" && d.Name == "" }

// Lease is the leaseInfo of an instance: two periods in seconds, asked for by the client, and four times in Unix milliseconds,
// kept by the server. The zero value means that there is none and is not written.
type Lease struct {
	RenewalIntervalSecs int // decoding turns 0 and less into 30
	DurationSecs        int // decoding turns 0 and less into 90
	Registration        int64
	LastRenewal         int64
	Eviction            int64
	ServiceUp           int64
}

// Pair is one entry of a metadata map.
type Pair struct{ Key, Value string }

// Pairs is a metadata map in the order in which it came. Keys are unique; of duplicates the last value wins, at the first place.
type Pairs []Pair

// Get returns the value of key and whether it is there.
func (p Pairs) Get(key string) (string, bool) {
	for i := range p {
		if p[i].Key == key {
			return p[i].Value, true
		}
	}
	return "", false
}

// ActionType says, in a delta, what happened to an instance.
type ActionType string

// The actions of a delta.
const (
	Added    ActionType = "ADDED"
	Modified ActionType = "MODIFIED"
	Deleted  ActionType = "DELETED"
)

// Applications is the registry, or a delta of it, as a server answers it.
type Applications struct {
	Version  string // versions__delta: changes with every delta the server builds
	HashCode string // apps__hashcode of the whole registry, also in a delta
	Apps     []Application
	Skipped  []Skipped // entries that could not be read; only decoding fills it
}

// Application is all instances of one name.
type Application struct {
	Name      string
	Instances []*Instance
}

// Skipped is an instance that was left out of a decoded list because it could not be read.
type Skipped struct {
	App string
	Err error
}

// Counts returns how many instances have each status; its Hash is to be compared with HashCode.
func (a *Applications) Counts() Counts {
	var c Counts
	for _, app := range a.Apps {
		for _, in := range app.Instances {
			c.Add(in.Status, 1)
		}
	}
	return c
}
