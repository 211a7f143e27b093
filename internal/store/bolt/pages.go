package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// pages reads a bbolt file without trusting a byte of it. bbolt itself answers damage with panics, some of them in goroutines
// of its own, and with faults in mapped memory; so the file is looked through here before bbolt may touch it.
//
// Source: go.etcd.io/bbolt v1.5.0, internal/common/{meta,page,bucket}.go; numbers are in the machine's order, which is little
// endian wherever this program runs.
type pages struct {
	file io.ReaderAt
	size int64 // of the file
	page int64 // bytes of one page

	root, free, high uint64 // root page, page of the free list, first page never used
	used             map[uint64]bool
	left             int64                              // elements that may still be met: each has bytes of its own
	entry            func(bucket [][]byte, k, v []byte) // called for what can be read; k, v are good during the call
	wrong            func(error)                        // called for what cannot
}

const (
	pageHeader    = 16
	elementHeader = 16
	metaSize      = 64 // behind the page's header, checksum included
	magic         = 0xED0CDAED
	branchPage    = 0x01
	leafPage      = 0x02
	freePage      = 0x10
	bucketElement = 0x01
	maxDepth      = 64
)

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// inspect reads a whole file. entry is called for each key and value of each bucket, wrong for each place that cannot be read
// or contradicts the rest; reading goes on behind it.
func inspect(file io.ReaderAt, size int64, entry func(bucket [][]byte, k, v []byte), wrong func(error)) {
	p := &pages{file: file, size: size, left: size / elementHeader, used: map[uint64]bool{0: true, 1: true}, entry: entry}
	p.wrong = func(err error) { wrong(fmt.Errorf("%w: %w", errDamaged, err)) }
	if p.metas() {
		p.tree(p.root, nil, within{}, 0)
		p.freelist()
	}
}

// metas reads both heads of the file and takes the newer. A head is a single sector, so even a power failure leaves a good one.
func (p *pages) metas() bool {
	first := make([]byte, pageHeader+metaSize)
	if _, err := p.file.ReadAt(first, 0); err != nil {
		p.wrong(fmt.Errorf("its head cannot be read: %w", err))
		return false
	}
	p.page = int64(u32(first[pageHeader+8:]))
	if !valid(first[pageHeader:]) {
		p.wrong(fmt.Errorf("the first of its two heads is wrong"))
		p.page = p.secondHead()
	}
	var newest uint64
	for i := range int64(2) {
		b := make([]byte, pageHeader+metaSize)
		if _, err := p.file.ReadAt(b, i*p.page); err != nil || !valid(b[pageHeader:]) {
			if i == 1 {
				p.wrong(fmt.Errorf("the second of its two heads is wrong"))
			}
			continue
		}
		m := b[pageHeader:]
		if tx := u64(m[48:]); tx >= newest {
			newest = tx
			p.root, p.free, p.high = u64(m[16:]), u64(m[32:]), u64(m[40:])
		}
	}
	return p.high != 0
}

// secondHead finds the size of a page by where the second head is.
func (p *pages) secondHead() int64 {
	b := make([]byte, metaSize)
	for size := int64(1024); size <= 64<<10; size *= 2 {
		if _, err := p.file.ReadAt(b, size+pageHeader); err == nil && valid(b) && int64(u32(b[8:])) == size {
			return size
		}
	}
	return 4096
}

// valid reports whether m is a head as it was written.
func valid(m []byte) bool {
	size := u32(m[8:])
	return u32(m) == magic && u32(m[4:]) == 2 && fnvSum(m[:56]) == u64(m[56:]) &&
		size >= 1024 && size <= 64<<10 && size&(size-1) == 0
}

func fnvSum(b []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(b)
	return sum.Sum64()
}

// read returns a page with its overflow and marks it as used.
func (p *pages) read(id uint64) []byte {
	head := make([]byte, pageHeader)
	if id < 2 || id >= p.high || int64(id) >= p.size/p.page {
		p.wrong(fmt.Errorf("page %d is referred to, and is not in the file", id))
		return nil
	}
	if _, err := p.file.ReadAt(head, int64(id)*p.page); err != nil {
		p.wrong(fmt.Errorf("page %d: %w", id, err))
		return nil
	}
	over := uint64(u32(head[12:]))
	if u64(head) != id || over >= p.high-id || int64(id+over) >= p.size/p.page {
		p.wrong(fmt.Errorf("page %d calls itself %d, with %d more", id, u64(head), over))
		return nil
	}
	for i := id; i <= id+over; i++ {
		if p.used[i] {
			p.wrong(fmt.Errorf("page %d is in two places", i))
			return nil
		}
		p.used[i] = true
	}
	b := make([]byte, int64(over+1)*p.page)
	if _, err := p.file.ReadAt(b, int64(id)*p.page); err != nil {
		p.wrong(fmt.Errorf("page %d: %w", id, err))
		return nil
	}
	return b
}

// within is between which keys all those of a page lie.
type within struct {
	least []byte
	below []byte // nil: no limit
}

// tree walks the pages under id.
func (p *pages) tree(id uint64, bucket [][]byte, keys within, depth int) {
	b := p.read(id)
	if b == nil {
		return
	}
	if depth > maxDepth {
		p.wrong(fmt.Errorf("page %d is %d levels deep", id, depth))
		return
	}
	p.elements(fmt.Sprintf("page %d", id), b, bucket, keys, depth)
}

// elements goes through a branch or a leaf; where names it.
// What bbolt writes lies end to end, so that a count or a size that is wrong shows.
func (p *pages) elements(where string, b []byte, bucket [][]byte, keys within, depth int) {
	flags, n := u16(b[8:]), int(u16(b[10:]))
	if flags != branchPage && flags != leafPage || pageHeader+n*elementHeader > len(b) {
		p.wrong(fmt.Errorf("%s has kind %#x and %d elements", where, flags, n))
		return
	}
	if p.left -= int64(n); p.left < 0 {
		p.wrong(fmt.Errorf("%s: the file has more elements than it has room for", where))
		return
	}
	all := make([]element, 0, n)
	next := uint64(pageHeader + n*elementHeader)
	for i := range n {
		e, ok := elementAt(b, flags, i, n)
		if !ok {
			p.wrong(fmt.Errorf("%s: element %d of %d lies outside", where, i, n))
			continue
		}
		if e.from != next {
			p.wrong(fmt.Errorf("%s: element %d of %d lies at %d, not at %d", where, i, n, e.from, next))
		}
		next = e.from + uint64(len(e.key)+len(e.value))
		all = append(all, e)
	}
	last, strict := keys.least, false
	for i, e := range all {
		k, v := e.key, e.value
		if c := bytes.Compare(k, last); c < 0 || c == 0 && strict || keys.below != nil && bytes.Compare(k, keys.below) >= 0 {
			p.wrong(fmt.Errorf("%s: key %d of %d is out of order", where, i, n))
		}
		last, strict = k, true
		switch {
		case flags == branchPage:
			under := within{k, keys.below}
			if i+1 < len(all) {
				under.below = all[i+1].key
			}
			p.tree(e.page, bucket, under, depth+1)
		case e.bucket:
			p.bucket(fmt.Sprintf("%s: bucket %q", where, k), append(bucket[:len(bucket):len(bucket)], k), v, depth+1)
		default:
			p.entry(bucket, k, v)
		}
	}
}

// element is one of a page.
type element struct {
	key, value []byte
	from       uint64 // where the key begins
	page       uint64 // of a branch: what is under it
	bucket     bool   // of a leaf: the value is a bucket's head
}

// elementAt reads element i of n, if all of it is on the page.
func elementAt(b []byte, flags uint16, i, n int) (element, bool) {
	at := pageHeader + i*elementHeader
	e := b[at : at+elementHeader]
	var pos, keySize, valueSize uint64
	if flags == branchPage {
		pos, keySize = uint64(u32(e)), uint64(u32(e[4:]))
	} else {
		pos, keySize, valueSize = uint64(u32(e[4:])), uint64(u32(e[8:])), uint64(u32(e[12:]))
	}
	from := uint64(at) + pos
	if keySize == 0 && flags == leafPage || from < uint64(pageHeader+n*elementHeader) || from+keySize+valueSize > uint64(len(b)) {
		return element{}, false
	}
	out := element{key: b[from : from+keySize], value: b[from+keySize : from+keySize+valueSize], from: from}
	if flags == branchPage {
		out.page = u64(e[8:])
	} else {
		out.bucket = u32(e)&bucketElement != 0
	}
	return out, true
}

// bucket walks a bucket whose head, and perhaps whose only page, is v.
func (p *pages) bucket(where string, name [][]byte, v []byte, depth int) {
	switch {
	case len(v) < 16:
		p.wrong(fmt.Errorf("%s has a head of %d bytes", where, len(v)))
	case u64(v) != 0:
		p.tree(u64(v), name, within{}, depth)
	case len(v) < 16+pageHeader || depth > maxDepth:
		p.wrong(fmt.Errorf("%s has no page", where))
	default:
		p.elements(where, v[16:], name, within{}, depth)
	}
}

// freelist checks that no page is both free and in use.
func (p *pages) freelist() {
	b := p.read(p.free)
	if b == nil {
		return
	}
	n, at := uint64(u16(b[10:])), uint64(pageHeader)
	if n == 0xFFFF && len(b) >= pageHeader+8 {
		n, at = u64(b[at:]), at+8
	}
	if u16(b[8:]) != freePage || n > (uint64(len(b))-at)/8 {
		p.wrong(fmt.Errorf("the list of free pages has kind %#x and %d of them", u16(b[8:]), n))
		return
	}
	last := uint64(1)
	for i := range n {
		id := u64(b[at+8*i:])
		if id <= last || id >= p.high || p.used[id] {
			p.wrong(fmt.Errorf("page %d is listed as free", id))
			return
		}
		last = id
	}
}
