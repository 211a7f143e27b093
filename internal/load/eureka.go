package load

import (
	"context"
	"fmt"
	"strconv"

	"github.com/muster-go/muster"
)

// eureka speaks Eureka's REST with the headers of Netflix' client, one request for each heartbeat.
// Source: Netflix eureka, EurekaJersey2ClientFactory and EurekaIdentityHeaderFilter.
type eureka struct{}

// identity are the headers that Netflix' client sends with each request.
const identity = "DiscoveryIdentity-Name: DefaultClient\r\nDiscoveryIdentity-Version: 1.4\r\nDiscoveryIdentity-Id: 10.0.0.1\r\n" +
	"Accept-Encoding: gzip\r\nUser-Agent: Java-EurekaClient/v2.0.4\r\nConnection: Keep-Alive\r\n"

// dirty is the lastDirtyTimestamp of every instance before its first change; each change is a millisecond later.
const dirty = 1763640000000

func (eureka) head(b []byte, f *fleet, method, path string) []byte {
	return append(f.target.appendHead(b, method, "/ns/"+f.namespace+"/eureka/apps"+path), identity...)
}

func (e eureka) register(b []byte, f *fleet, i, mark int) []byte {
	host, app := f.host(i), f.service(i)
	stamp := strconv.Itoa(dirty + mark)
	body := fmt.Appendf(nil, `{"instance":{"instanceId":%q,"hostName":%q,"app":%q,"ipAddr":%q,"status":"UP","overriddenStatus":"UNKNOWN",`+
		`"port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},"countryId":1,`+
		`"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},`+
		`"leaseInfo":{"renewalIntervalInSecs":%d,"durationInSecs":%d,"registrationTimestamp":0,"lastRenewalTimestamp":0,"evictionTimestamp":0,"serviceUpTimestamp":0},`+
		`"metadata":{"team":"muster bench",%q:%q},"homePageUrl":"http://%s:8080/","statusPageUrl":"http://%s:8080/actuator/info",`+
		`"healthCheckUrl":"http://%s:8080/actuator/health","vipAddress":%q,"secureVipAddress":%q,"isCoordinatingDiscoveryServer":"false",`+
		`"lastUpdatedTimestamp":%q,"lastDirtyTimestamp":%q}}`,
		f.id(i), host, app, host, max(1, int(f.ttl.Seconds())/3), max(1, int(f.ttl.Seconds())), markLabel, markText(mark), host, host, host, app, app, stamp, stamp)
	return appendBody(e.head(b, f, "POST", "/"+app), "application/json", body)
}

func (eureka) registered(*member, int, []byte) error { return nil }

func (eureka) beats(m *member) int { return m.n }

func (e eureka) beat(ctx context.Context, f *fleet, m *member, n int) (ops int, lapsed []int, err error) {
	if n >= m.registered {
		return 0, nil, nil
	}
	i := m.first + n
	_, err = m.ask(ctx, "PUT", true, func(b []byte) []byte {
		return appendEnd(append(e.head(b, f, "PUT", "/"+f.service(i)+"/"+f.id(i)+"?status=UP&lastDirtyTimestamp="+strconv.Itoa(dirty)), "Content-Length: 0\r\n"...))
	})
	if muster.CodeOf(err) == muster.NotFound {
		return 1, []int{i}, nil
	}
	return 1, nil, err
}

func (e eureka) deregister(b []byte, f *fleet, i int) []byte {
	return appendEnd(e.head(b, f, "DELETE", "/"+f.service(i)+"/"+f.id(i)))
}

func (e eureka) read(b []byte, f *fleet, service string) []byte {
	path := "/"
	if service != "" {
		path += service
	}
	return append(e.head(b, f, "GET", path), "Accept: application/json\r\n\r\n"...)
}
