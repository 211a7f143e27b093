package nativewire_test

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestFrameSurvivesTheWire(t *testing.T) {
	handles := []nativewire.Handle{1, 1 << 63, 0xffffffffffffffff}
	f, err := nativewire.ParseFrame(nativewire.AppendFrame(nil, handles))
	if err != nil || f.Len() != len(handles) {
		t.Fatalf("%d handles, %v; want %d", f.Len(), err, len(handles))
	}
	for i, want := range handles {
		if got := f.Handle(i); got != want {
			t.Errorf("handle %d is %x, want %x", i, got, want)
		}
	}
}

func TestReplySurvivesTheWire(t *testing.T) {
	lapsed := []nativewire.Lapsed{{Index: 0, Code: muster.NotFound}, {Index: 9, Code: muster.Conflict}}
	got, err := nativewire.ParseReply(nativewire.AppendReply(nil, 10, lapsed), 10)
	if err != nil || !reflect.DeepEqual(got, lapsed) {
		t.Errorf("came back as %v, %v; want %v", got, err, lapsed)
	}
}

func TestFrameThatIsNoneIsRefused(t *testing.T) {
	good := nativewire.AppendFrame(nil, []nativewire.Handle{1, 2})
	huge := binary.LittleEndian.AppendUint32([]byte("mhb1"), nativewire.MaxBeats+1)
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:7], "truncated": good[:len(good)-1], "trailing": append(good[:len(good):len(good)], 0),
		"too many": huge, "another version": append([]byte("mhb2"), good[4:]...), "html": []byte("<html>nothing here</html>"),
	} {
		if _, err := nativewire.ParseFrame(b); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func TestReplyThatIsNoneIsRefused(t *testing.T) {
	good := nativewire.AppendReply(nil, 2, []nativewire.Lapsed{{Index: 1, Code: muster.NotFound}})
	bad := func(i int, v byte) []byte {
		b := append([]byte(nil), good...)
		b[i] = v
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "truncated": good[:len(good)-1], "trailing": append(good[:len(good):len(good)], 0), "for another frame": bad(4, 3),
		"position outside": bad(12, 2), "unknown code": bad(16, 9), "html": []byte("<html>" + strings.Repeat("x", 40)),
	} {
		if _, err := nativewire.ParseReply(b, 2); muster.CodeOf(err) != muster.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add(nativewire.AppendFrame(nil, []nativewire.Handle{1, 2, 3}))
	f.Add([]byte("mhb1\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := nativewire.ParseFrame(b)
		if err != nil {
			return
		}
		handles := make([]nativewire.Handle, frame.Len())
		for i := range handles {
			handles[i] = frame.Handle(i)
		}
		if again := nativewire.AppendFrame(nil, handles); string(again) != string(b) {
			t.Errorf("%x was read as %x", b, again)
		}
	})
}

func FuzzParseReply(f *testing.F) {
	f.Add(nativewire.AppendReply(nil, 4, []nativewire.Lapsed{{Index: 3, Code: muster.Conflict}}), 4)
	f.Add([]byte("mhr1\x01\x00\x00\x00\xff\xff\xff\xff"), 1)
	f.Fuzz(func(t *testing.T, b []byte, count int) {
		lapsed, err := nativewire.ParseReply(b, count)
		if err != nil {
			return
		}
		if again := nativewire.AppendReply(nil, count, lapsed); string(again) != string(b) {
			t.Errorf("%x was read as %x", b, again)
		}
	})
}
