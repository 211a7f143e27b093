package nativewire_test

import (
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

func TestTheAuditOfAStaticInstanceGivesBothStatesBack(t *testing.T) {
	at := []muster.Endpoint{{Scheme: "ipp", Address: "[::1]:631"}}
	plain := &muster.Instance{Endpoints: at, Zone: "eu 1a", Weight: new(0), Metadata: map[string]string{"floor": "3"}}
	sly := &muster.Instance{Endpoints: at, Version: "2", Tier: 1, Metadata: map[string]string{"x": "it's; was static: --url http://evil:1"}}
	const flags = `--url ipp://[::1]:631 --zone 'eu 1a' --weight 0 -l floor=3`
	const slyFlags = `--url ipp://[::1]:631 --version 2 --tier 1 -l 'x=it'\''s; was static: --url http://evil:1'`
	for _, tt := range []struct {
		before, after         *muster.Instance
		wantBefore, wantAfter string
	}{
		{nil, plain, "", flags},
		{plain, nil, flags, ""},
		{plain, sly, flags, slyFlags},
		{sly, plain, slyFlags, flags},
	} {
		detail := nativewire.StaticDetail(tt.before, tt.after)
		if before, after, ok := nativewire.ParseStaticDetail(detail); !ok || before != tt.wantBefore || after != tt.wantAfter {
			t.Errorf("%q is read as before %q, after %q, %v", detail, before, after, ok)
		}
	}
}

func TestTheAuditOfAStaticInstanceIsBounded(t *testing.T) {
	in := &muster.Instance{Endpoints: []muster.Endpoint{{Scheme: "tcp", Address: "h:1"}}, Metadata: map[string]string{"x": strings.Repeat("'", 4000)}}
	detail := nativewire.StaticDetail(nil, in)
	if _, _, ok := nativewire.ParseStaticDetail(detail); ok || len(detail) > 200 || !strings.Contains(detail, "tcp") {
		t.Errorf("the detail is %d bytes: %.200s", len(detail), detail)
	}
}
