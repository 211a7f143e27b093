package debugwire_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/debugwire"
)

func TestExplanationsAreBoundedAndSayHowMuchIsMissing(t *testing.T) {
	ex := muster.Explanation{Service: "ORDERS", Rows: make([]muster.Standing, debugwire.MaxInstances+7), Skipped: make([]muster.Skipped, debugwire.MaxSkipped+1)}
	for i := range ex.Rows {
		ex.Rows[i].Instance = &muster.Instance{ID: "a"}
	}
	got := debugwire.FromExplanation(&ex)
	if len(got.Instances) != debugwire.MaxInstances || got.More != 7 || len(got.Skipped) != debugwire.MaxSkipped {
		t.Errorf("%d instances, %d more, %d skipped", len(got.Instances), got.More, len(got.Skipped))
	}
}

func TestNumbersThatJSONLacksDoNotBreakAnExplanation(t *testing.T) {
	ex := muster.Explanation{
		Rows:  []muster.Standing{{Instance: &muster.Instance{ID: "a"}, Weight: math.NaN(), Share: math.Inf(-1), Score: math.Inf(1)}},
		State: &muster.ServiceState{Dropped: math.NaN(), Retries: math.Inf(1)},
	}
	got := debugwire.FromExplanation(&ex)
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
	if row := got.Instances[0]; row.Weight != 0 || row.Score != math.MaxFloat64 || got.Dropped != 0 {
		t.Errorf("got %+v, dropped %v", row, got.Dropped)
	}
}
