package social

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// The wanted texts were written by CPython 3.11, json.dumps(json.loads(in)).
var dumped = []struct{ in, want string }{
	{`{"timestamp":1553652949,"email":"nameko@nameko.com"}`, `{"timestamp": 1553652949, "email": "nameko@nameko.com"}`},
	{` { "b" : [ 1 , 2,[ ] ] , "a" : { } , "" : null } `, `{"b": [1, 2, []], "a": {}, "": null}`},
	{`{"a":1,"b":2,"\u0061":{"c":true}}`, `{"a": {"c": true}, "b": 2}`},
	{`"小花 é \u00E9 😀 \uD83D\uDE00"`, `"\u5c0f\u82b1 \u00e9 \u00e9 \ud83d\ude00 \ud83d\ude00"`},
	{`"\ud83d x \udc00\ud800"`, `"\ud83d x \udc00\ud800"`},
	{`"\/ / \u0041 \" \\ \b\f\n\r\t \u0000 \u001F \u007f ~ <>&` + "\x7f\u2028" + `"`, `"/ / A \" \\ \b\f\n\r\t \u0000 \u001f \u007f ~ <>&\u007f\u2028"`},
	{`[0,-0,12345678901234567890123,-7]`, `[0, 0, 12345678901234567890123, -7]`},
	{`[0.0,-0.0,1.0,1e5,1E+15,1e16,0.1,1.50]`, `[0.0, -0.0, 1.0, 100000.0, 1000000000000000.0, 1e+16, 0.1, 1.5]`},
	{`[0.0001,0.00001,123456789.123456789,1.5e300,-2.5e-7,1e-400,9999999999999998.0]`, `[0.0001, 1e-05, 123456789.12345679, 1.5e+300, -2.5e-07, 0.0, 9999999999999998.0]`},
}

func TestDumpsWritesWhatPythonWrites(t *testing.T) {
	for _, c := range dumped {
		if got, err := dumps([]byte(c.in)); err != nil || got != c.want {
			t.Errorf("dumps(%s) = %s, %v\nwant %s", c.in, got, err, c.want)
		}
	}
}

func TestDumpsRefusesWhatIsNotJSON(t *testing.T) {
	for in, want := range map[string]string{
		``: "not JSON", `{"a":}`: "not JSON", `NaN`: "not JSON", "\"\xff\"": "not UTF-8",
		`{"a":[-1e400]}`: "-1e400 is too large", strings.Repeat("[", 20_000): "not JSON",
	} {
		if got, err := dumps([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("dumps(%.20q) = %.20q, %v; want an error that says %s", in, got, err, want)
		}
	}
}

func FuzzDumps(f *testing.F) {
	for _, c := range dumped {
		f.Add([]byte(c.in))
	}
	f.Add([]byte(`{"a":[-1e400]}`))
	f.Add([]byte("{\"a\xff\":1}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := dumps(in)
		if err != nil {
			return
		}
		var before, after any
		if err := json.Unmarshal(in, &before); err != nil {
			t.Fatalf("dumps accepts %q: %v", in, err)
		}
		if err := json.Unmarshal([]byte(got), &after); err != nil {
			t.Fatalf("dumps(%q) = %q: %v", in, got, err)
		}
		if before == nil != (after == nil) || !strings.Contains(string(in), `\u`) && !reflect.DeepEqual(before, after) {
			t.Errorf("dumps(%q) = %q, which is something else", in, got)
		}
		for i := range len(got) {
			if got[i] < ' ' || got[i] > '~' {
				t.Fatalf("dumps(%q) = %q, which is not printable ASCII", in, got)
			}
		}
		if again, err := dumps([]byte(got)); err != nil || again != got {
			t.Errorf("dumps again: %q, %v; want %q", again, err, got)
		}
	})
}
