package api

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"

	"github.com/muster-go/muster/internal/nativewire"
)

// seal turns the store's handles, which are slots and counts and thus easy to guess from a neighbour's, into handles that
// prove something, and back. It is the block cipher Speck64/128 under a key of this process: one of n leases is hit by a guess
// with a chance of n in 2^64, and opening costs some 20 ns.
//
// Source: Beaulieu, Shors, Smith, Treatman-Clark, Weeks, Wingers, "The SIMON and SPECK Families of Lightweight Block Ciphers",
// 2013, section 4.
type seal [27]uint32

// newSeal returns a seal with a random key.
func newSeal() *seal {
	var b [16]byte
	rand.Read(b[:]) // never fails, by its contract
	var key [4]uint32
	for i := range key {
		key[i] = binary.LittleEndian.Uint32(b[i*4:])
	}
	return expand(key)
}

// expand makes the round keys; key[0] is the first of them.
func expand(key [4]uint32) *seal {
	s := new(seal)
	k, l := key[0], [3]uint32{key[1], key[2], key[3]}
	for i := range s {
		s[i] = k
		l[i%3], k = round(l[i%3], k, uint32(i))
	}
	return s
}

// close seals a handle of the store.
func (s *seal) close(handle uint64) nativewire.Handle {
	x, y := uint32(handle>>32), uint32(handle)
	for _, k := range s {
		x, y = round(x, y, k)
	}
	return nativewire.Handle(uint64(x)<<32 | uint64(y))
}

// open gives the store's handle; what was never sealed gives a handle that does not exist.
func (s *seal) open(h nativewire.Handle) uint64 {
	x, y := uint32(h>>32), uint32(h)
	for i := len(s) - 1; i >= 0; i-- {
		y = bits.RotateLeft32(x^y, -3)
		x = bits.RotateLeft32((x^s[i])-y, 8)
	}
	return uint64(x)<<32 | uint64(y)
}

func round(x, y, k uint32) (uint32, uint32) {
	x = (bits.RotateLeft32(x, -8) + y) ^ k
	return x, bits.RotateLeft32(y, 3) ^ x
}
