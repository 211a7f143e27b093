package probe

import "testing"

func FuzzParseFrame(f *testing.F) {
	for _, seed := range []string{"", "\x00\x00\x00\x00\x02\x08\x01", "\x00\x00\x00\x00\x06\x08\x01\x12\x02hi", "\x00\x00\x00\x00\x05\x0d\x01\x02\x03\x04", "\x00\x00\x00\x00\x09\x11\x01\x02\x03\x04\x05\x06\x07\x08"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		status, err := parseFrame(b)
		if err != nil && status != 0 {
			t.Errorf("status %d with %v", status, err)
		}
		if err == nil && len(b) < 5 {
			t.Errorf("%q was taken for a frame", b)
		}
	})
}

func TestAFrameIsRead(t *testing.T) {
	if got := string(appendFrame(nil, "orders")); got != "\x00\x00\x00\x00\x08\x0a\x06orders" {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"\x00\x00\x00\x00\x01\x08", "\x00\x00\x00\x00\x03\x12\xff\x7f", "\x00\x00\x00\x00\x02\x0b\x01", "\x00\x00\x00\x00\x0a\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"} {
		if status, err := parseFrame([]byte(bad)); err == nil {
			t.Errorf("%q: status %d", bad, status)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, seed := range []string{"ORDERS=tcp", "*:*=grpc", "a:b*=http:/x", "=", "a:=tcp", "a=http://x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spec, err := ParseSpec(s)
		if err != nil {
			return
		}
		again, err := ParseSpec(spec.String())
		if err != nil || again != spec {
			t.Errorf("%q is %v, which is read as %v, %v", s, spec, again, err)
		}
		spec.names("ORDERS")
	})
}
