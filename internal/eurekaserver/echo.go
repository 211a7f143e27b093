package eurekaserver

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/muster-go/muster/internal/eurekawire"
)

// wireKind marks the records whose Wire is in the encoding of this file.
const wireKind = "eureka"

// echo is what Eureka's protocol must give back of an instance and the muster.Instance does not say, encoded as Record.Wire:
//
//	version 1 | last dirty, ms | service up, ms | flags | data centre | ports 2 | lease 2 | country |
//	host | ip | vip | secure vip | 4 URLs | group | asg | sid | Amazon's metadata | names of the metadata in order
//
// The first five have fixed places, so that they are read and replaced without the rest. Numbers after them are varints. A string begins with one of the words below that it starts with, by number, so that what repeats the host
// or the application costs a byte; then the rest of it, by length. The instance ID, the application, statuses and the values
// of the metadata are the muster.Instance's and not here.
type echo struct {
	eurekawire.Instance
	service string // in lower case, as most virtual addresses are
}

const echoVersion = 1

// Places in an encoding.
const (
	atVersion = 0
	atDirty   = 1
	atUp      = 9
	atFlags   = 17
	atCentre  = 18
	atRest    = 19
)

// What a string may begin with.
const (
	fromNothing = iota
	fromHost
	fromIP
	fromService
	fromHostURL // http://HOST:PORT
	fromIPURL
	fromSecureURL // https://HOST:SECUREPORT
	words
)

// The bits of flags. The action takes two from actionShift.
const (
	portOn = 1 << iota
	secureOn
	coordinating
	actionShift = iota
)

// actions and the names of data centres are encoded by their place here.
func actions() [4]eurekawire.ActionType {
	return [4]eurekawire.ActionType{"", eurekawire.Added, eurekawire.Modified, eurekawire.Deleted}
}

func centreNames() [4]string {
	return [4]string{"", eurekawire.MyOwn, eurekawire.Amazon, eurekawire.Netflix}
}

func centreClasses() [3]string { return [3]string{"", eurekawire.DefaultClass, eurekawire.AmazonClass} }

// append appends the encoding of e to b.
func (e *echo) append(b []byte) []byte {
	b = append(b, echoVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(e.LastDirty))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Lease.ServiceUp))
	b = append(b, e.flags(), e.centre())
	for _, n := range e.numbers() {
		b = binary.AppendVarint(b, int64(*n))
	}
	for i, s := range e.strings() {
		b = e.appendString(b, *s, i)
	}
	b = binary.AppendUvarint(b, uint64(len(e.DataCenter.Metadata)))
	for _, p := range e.DataCenter.Metadata {
		b = appendText(appendText(b, p.Key), p.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Metadata)))
	for _, p := range e.Metadata {
		b = appendText(b, p.Key)
	}
	return b
}

func (e *echo) flags() (f byte) {
	if e.Port.Enabled {
		f |= portOn
	}
	if e.SecurePort.Enabled {
		f |= secureOn
	}
	if e.Coordinating {
		f |= coordinating
	}
	for i, a := range actions() {
		if a == e.ActionType {
			f |= byte(i) << actionShift
		}
	}
	return f
}

func (e *echo) centre() (c byte) {
	for i, name := range centreNames() {
		if name == e.DataCenter.Name {
			c = byte(i)
		}
	}
	for i, class := range centreClasses() {
		if class == e.DataCenter.Class {
			c |= byte(i) << 4
		}
	}
	return c
}

// numbers is how many there are before the strings.
const numbers = 5

func (e *echo) numbers() [numbers]*int {
	return [...]*int{&e.Port.Number, &e.SecurePort.Number, &e.Lease.RenewalIntervalSecs, &e.Lease.DurationSecs, &e.CountryID}
}

// strings returns the texts in their order; the host and the IP come first because others may begin with them.
func (e *echo) strings() [11]*string {
	return [...]*string{
		&e.HostName, &e.IPAddr, &e.VIPAddress, &e.SecureVIPAddress, &e.HomePageURL, &e.StatusPageURL, &e.HealthCheckURL,
		&e.SecureHealthCheckURL, &e.AppGroupName, &e.ASGName, &e.Sid,
	}
}

// word returns what a string may begin with; place is the string's own, since it must not begin with itself.
func (e *echo) word(number, place int) string {
	switch {
	case number == fromService:
		return e.service
	case number == fromHost && place > 0:
		return e.HostName
	case place < 2:
		return ""
	case number == fromIP:
		return e.IPAddr
	case number == fromHostURL:
		return urlOf("http://", e.HostName, e.Port.Number)
	case number == fromIPURL:
		return urlOf("http://", e.IPAddr, e.Port.Number)
	case number == fromSecureURL:
		return urlOf("https://", e.HostName, e.SecurePort.Number)
	}
	return ""
}

func (e *echo) appendString(b []byte, s string, place int) []byte {
	best, length := fromNothing, 0
	for number := fromHost; s != "" && number < words; number++ {
		if w := e.word(number, place); len(w) > length && strings.HasPrefix(s, w) {
			best, length = number, len(w)
		}
	}
	return appendText(append(b, byte(best)), s[length:])
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errEcho = errors.New("the wire form of a record is not eureka's: was its data file written by another version?")

// read replaces e by what b encodes, for an instance of that service. The values of Metadata stay empty.
func (e *echo) read(b []byte, service string) error {
	*e = echo{service: service}
	if !isEcho(b) || !e.setFlags(b[atFlags], b[atCentre]) {
		return errEcho
	}
	e.LastDirty, e.Lease.ServiceUp = echoDirty(b), echoUp(b)
	c := cursor{b: b[atRest:]}
	for _, n := range e.numbers() {
		*n = c.int32()
	}
	for i, s := range e.strings() {
		*s = c.string(e, i)
	}
	if n := c.count(2); n > 0 {
		e.DataCenter.Metadata = make(eurekawire.Pairs, n)
		for i := range e.DataCenter.Metadata {
			e.DataCenter.Metadata[i] = eurekawire.Pair{Key: c.text(), Value: c.text()}
		}
	}
	if n := c.count(1); n > 0 {
		e.Metadata = make(eurekawire.Pairs, n)
		for i := range e.Metadata {
			e.Metadata[i].Key = c.text()
		}
	}
	if c.bad || len(c.b) > 0 {
		return errEcho
	}
	return nil
}

func (e *echo) setFlags(flags, centre byte) bool {
	name, class := centre&15, centre>>4
	names, classes := centreNames(), centreClasses()
	if flags>>actionShift > 3 || int(name) >= len(names) || int(class) >= len(classes) {
		return false
	}
	e.Port.Enabled, e.SecurePort.Enabled = flags&portOn != 0, flags&secureOn != 0
	e.Coordinating = flags&coordinating != 0
	e.ActionType = actions()[flags>>actionShift]
	e.DataCenter.Name, e.DataCenter.Class = names[name], classes[class]
	return true
}

func isEcho(b []byte) bool { return len(b) >= atRest && b[atVersion] == echoVersion }

// echoDirty returns the lastDirtyTimestamp in an encoding; 0 if it is none.
func echoDirty(b []byte) int64 { return echoTime(b, atDirty) }

// echoUp returns since when the instance is up; 0 if it never was.
func echoUp(b []byte) int64 { return echoTime(b, atUp) }

func echoTime(b []byte, at int) int64 {
	if !isEcho(b) {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b[at:]))
}

// echoAddresses returns the virtual addresses in an encoding, plain and secure, without reading the rest.
func echoAddresses(b []byte, service string) (plain, secure string) {
	if !isEcho(b) {
		return "", ""
	}
	e, c := echo{service: service}, cursor{b: b[atRest:]}
	for _, n := range e.numbers() {
		*n = c.int32()
	}
	texts := e.strings()
	for i, s := range texts[:4] {
		*s = c.string(&e, i)
	}
	return e.VIPAddress, e.SecureVIPAddress
}

// setEchoTimes replaces both times in an encoding and the action, in place.
func setEchoTimes(b []byte, dirty, up int64, action eurekawire.ActionType) {
	if !isEcho(b) {
		return
	}
	binary.BigEndian.PutUint64(b[atDirty:], uint64(dirty))
	binary.BigEndian.PutUint64(b[atUp:], uint64(up))
	e := echo{Instance: eurekawire.Instance{ActionType: action}}
	b[atFlags] = b[atFlags]&(1<<actionShift-1) | e.flags()
}

// cursor reads what append wrote. It never reads beyond its bytes: then it is bad and everything is zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n uint64) []byte {
	if c.bad || n > uint64(len(c.b)) {
		c.bad = true
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	c.skip(n)
	return v
}

func (c *cursor) int32() int {
	v := c.varint()
	if v != int64(int32(v)) {
		c.bad = true
	}
	return int(int32(v))
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	c.skip(n)
	return v
}

func (c *cursor) skip(n int) {
	if n <= 0 {
		c.bad = true
		return
	}
	c.take(uint64(n))
}

// count reads how many things follow that take at least size bytes each.
func (c *cursor) count(size uint64) int {
	n := c.uvarint()
	if n > uint64(len(c.b))/size {
		c.bad = true
	}
	if c.bad {
		return 0
	}
	return int(n)
}

func (c *cursor) text() string { return string(c.take(c.uvarint())) }

func (c *cursor) string(e *echo, place int) string {
	number := int(c.byte())
	if number >= words {
		c.bad = true
		return ""
	}
	if number == fromNothing {
		return c.text()
	}
	word, rest := e.word(number, place), c.take(c.uvarint())
	if len(rest) == 0 {
		return word
	}
	return word + string(rest)
}
