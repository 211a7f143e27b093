package api

import "testing"

// The vector is the one the cipher's authors published for Speck64/128.
func TestSealIsSpeck(t *testing.T) {
	s := expand([4]uint32{0x03020100, 0x0b0a0908, 0x13121110, 0x1b1a1918})
	const plain, sealed = 0x3b7265747475432d, 0x8c6fa548454e028b
	if got := s.close(plain); got != sealed {
		t.Errorf("sealed %x, want %x", got, uint64(sealed))
	}
	if got := s.open(sealed); got != plain {
		t.Errorf("opened %x, want %x", got, uint64(plain))
	}
}

func TestSealsDiffer(t *testing.T) {
	if a, b := newSeal(), newSeal(); a.close(1) == b.close(1) {
		t.Error("two processes seal a handle alike")
	}
}
