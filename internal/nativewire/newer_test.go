package nativewire_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/nativewire"
)

// Every shape that a client reads, and that may have grown on a newer server.
func answers() []any {
	return []any{
		nativewire.Lease{}, nativewire.Instance{}, nativewire.Intent{}, nativewire.HeartbeatAnswers{}, nativewire.Problem{},
		nativewire.Status{}, nativewire.AuditRecord{}, nativewire.Listing{}, nativewire.Deleted{},
		nativewire.List[nativewire.Instance]{}, nativewire.List[nativewire.Service]{}, nativewire.List[nativewire.Namespace]{},
		nativewire.List[nativewire.AuditRecord]{},
	}
}

func TestUnknownFieldsOfAnswersAreIgnored(t *testing.T) {
	for _, shape := range answers() {
		typ := reflect.TypeOf(shape)
		t.Run(typ.String(), func(t *testing.T) {
			full := reflect.New(typ)
			fill(full.Elem(), 3)
			text, err := json.Marshal(full.Interface())
			if err != nil {
				t.Fatal(err)
			}
			var tree any
			if err := json.Unmarshal(text, &tree); err != nil {
				t.Fatal(err)
			}
			n := grow(tree, typ)
			grown, err := json.Marshal(tree)
			if err != nil {
				t.Fatal(err)
			}
			got := reflect.New(typ)
			if err := json.Unmarshal(grown, got.Interface()); err != nil {
				t.Fatalf("%v: %s", err, grown)
			}
			if n == 0 || !reflect.DeepEqual(got.Interface(), full.Interface()) {
				t.Errorf("%d fields were added; read\n%+v\nwant\n%+v", n, got.Elem(), full.Elem())
			}
		})
	}
}

// fill gives every field a value; deep bounds what refers to itself.
func fill(v reflect.Value, deep int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Pointer:
		if deep > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), deep-1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), deep)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, deep)
		fill(value, deep)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), deep)
		}
	default:
		panic(fmt.Sprintf("a %s: say here what it is filled with", v.Type()))
	}
}

// grow adds a field to every object of tree that is a struct of typ's, and returns how many.
func grow(tree any, typ reflect.Type) int {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	n := 0
	switch tree := tree.(type) {
	case map[string]any:
		if typ.Kind() != reflect.Struct {
			return 0 // keys are data
		}
		for _, f := range reflect.VisibleFields(typ) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && tree[name] != nil {
				n += grow(tree[name], f.Type)
			}
		}
		tree["not_known_yet"] = map[string]any{"a": []any{1, "b", nil}}
		n++
	case []any:
		for _, item := range tree {
			n += grow(item, typ.Elem())
		}
	}
	return n
}
