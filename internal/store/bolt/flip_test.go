package bolt_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// crowded is a file with every kind of page: heads, branches, leaves, the list of free pages.
func crowded(t testing.TB) (file []byte, intents, tokens, static int) {
	t.Helper()
	dir := t.TempDir()
	s := serve(t, dir, store.Options{})
	for n := range 120 {
		register(t, s, full(n))
		if _, err := s.SetIntent(full(n).Instance.Key(), muster.Intent{Weight: new(n), Why: strings.Repeat("why ", 60)}, store.Author{Claimed: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 20 {
		if err := s.AddToken(store.Token{Name: fmt.Sprintf("t%02d", n), Hash: [32]byte{1, byte(n)}, Allow: []string{"read"}}, store.Author{}); err != nil {
			t.Fatal(err)
		}
		r := full(200 + n)
		r.Static, r.TTL, r.Interval = true, 0, 0
		register(t, s, r)
	}
	closeStore(t, s)
	file, err := os.ReadFile(filepath.Join(dir, bolt.File))
	if err != nil {
		t.Fatal(err)
	}
	return file, 120, 20, 20
}

// pagesByKind are the offsets of a file's pages by what their heads call them.
func pagesByKind(file []byte) map[string][]int {
	names := map[uint16]string{1: "branch", 2: "leaf", 4: "head", 16: "free list"}
	out := map[string][]int{}
	for at := 0; at+4096 <= len(file); at += 4096 {
		if name := names[binary.LittleEndian.Uint16(file[at+8:])]; name != "" && binary.LittleEndian.Uint64(file[at:]) == uint64(at/4096) {
			out[name] = append(out[name], at)
		}
	}
	return out
}

// A single bit that is wrong, in whatever kind of page, is an error that names the file, or does not matter: no intent, no token
// and no static instance is lost, and none is another one, without a word. Recovery opens whatever is left.
func TestABitThatFlipsNeverLosesAnythingSilently(t *testing.T) {
	t.Parallel()
	whole, intents, tokens, static := crowded(t)
	flips := 8
	if os.Getenv("MUSTER_SOAK") == "1" {
		flips = 1000
	}
	random := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	path := filepath.Join(dir, bolt.File)
	want := inventory(t, whole, dir)
	if len(want) != intents+tokens+static {
		t.Fatalf("the whole file has %d things that last, want %d", len(want), intents+tokens+static)
	}
	all, noticed := pagesByKind(whole), 0
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		pages, refused := all[kind], 0
		for range flips {
			at := pages[random.IntN(len(pages))]
			offset := random.IntN(4096)
			if random.IntN(2) == 0 {
				offset = random.IntN(160) // head and first elements
			}
			spoiled := bytes.Clone(whole)
			spoiled[at+offset] ^= 1 << random.IntN(8)
			where := fmt.Sprintf("%s at page %d, byte %d", kind, at/4096, offset)
			got, err := inventoryOf(spoiled, dir, nil)
			switch {
			case err != nil:
				refused++
				if !strings.Contains(err.Error(), path) || muster.CodeOf(err) != muster.Internal && muster.CodeOf(err) != muster.Unsupported && muster.CodeOf(err) != muster.Invalid {
					t.Errorf("%s: %v (%s)", where, err, muster.CodeOf(err))
				}
				if muster.CodeOf(err) == muster.Internal {
					if _, err := inventoryOf(spoiled, dir, &bolt.Options{Recover: true}); err != nil {
						t.Errorf("%s: with recovery: %v", where, err)
					}
					forget(t, dir)
				}
			case len(got) != len(want):
				t.Errorf("%s: opened without a word, with %d of %d things that last", where, len(got), len(want))
			default:
				for k, v := range want {
					if got[k] != v {
						t.Errorf("%s: %s is %s, it was %s", where, k, got[k], v)
					}
				}
			}
		}
		t.Logf("%s: %d pages, %d of %d flips noticed", kind, len(pages), refused, flips)
		if noticed += refused; refused == 0 && kind != "free list" && flips >= 100 {
			t.Errorf("%s: no flip was noticed", kind)
		}
	}
	if noticed == 0 {
		t.Error("no flip was noticed: the test spoils nothing")
	}
}

// forget removes the damaged files that recovery moved aside; with values alone damaged there is none.
func forget(t testing.TB, dir string) {
	t.Helper()
	aside, err := filepath.Glob(filepath.Join(dir, bolt.File+".damaged-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range aside {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// inventory is all that must last in a file, as text.
func inventory(t testing.TB, file []byte, dir string) map[string]string {
	t.Helper()
	out, err := inventoryOf(file, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func inventoryOf(file []byte, dir string, opt *bolt.Options) (map[string]string, error) {
	if err := os.WriteFile(filepath.Join(dir, bolt.File), file, 0o600); err != nil {
		return nil, err
	}
	j, err := bolt.Open(dir, opt)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	out := map[string]string{}
	_, err = j.Load(store.Loader{
		Record: func(r *store.Record) {
			if r.Static {
				out["static "+r.Instance.Key().String()] = fmt.Sprint(r.Instance.Endpoints, r.Instance.Metadata, r.Instance.Status)
			}
		},
		Intent: func(k muster.Key, it *muster.Intent) { out["intent "+k.String()] = intentText(it) },
		Token:  func(t *store.Token) { out["token "+t.Name] = fmt.Sprint(t.Hash, t.Allow, t.Namespace) },
	})
	return out, err
}

// A page that was being written when the power went has the old bytes behind the new ones; the last page of the file may be cut.
func TestATornPageIsNoticedOrDoesNotMatter(t *testing.T) {
	t.Parallel()
	whole, _, _, _ := crowded(t)
	dir := t.TempDir()
	want := inventory(t, whole, dir)
	noticed := 0
	spoil := map[string][]byte{}
	for cut := 1; cut < 16; cut++ {
		spoil[fmt.Sprintf("cut to %d/16", cut)] = whole[:len(whole)*cut/16+cut]
	}
	for kind, pages := range pagesByKind(whole) {
		for _, at := range pages {
			torn := bytes.Clone(whole)
			clear(torn[at+512 : at+4096])
			spoil[fmt.Sprintf("%s page %d torn", kind, at/4096)] = torn
		}
	}
	for name, file := range spoil {
		got, err := inventoryOf(file, dir, nil)
		if err != nil {
			noticed++
			continue
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: opened without a word, and %s is %q, it was %q", name, k, got[k], v)
			}
		}
	}
	if noticed < len(spoil)/4 {
		t.Errorf("%d of %d were noticed: the test spoils too little", noticed, len(spoil))
	}
}
