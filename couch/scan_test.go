package couch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// readContent reads a body of the shape from r.
func readContent(r io.Reader, s shape, every bool) (content, error) {
	rd := &reader{scanner: newScanner(), detail: detail{every: every}}
	rd.reset(r)
	err := rd.readAll(s)
	return rd.content, err
}

func TestScanBulk(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       content
	}{
		{"nothing", ``, content{}},
		{"white space", " \n\t\r ", content{}},
		{"no docs", `{"new_edits":true}`, content{}},
		{"one of each", `{"docs":[{"_id":"a"},{"_id":"b","_rev":"1-x"},{"_rev":"1-x","_deleted":true}]}`, content{plain: 1, changes: 1, deletes: 1}},
		{"white space everywhere", " { \"docs\" : [ { \"_rev\" : \"1-x\" } , { } ] } ", content{plain: 1, changes: 1}},
		{"deeper keys do not count", `{"docs":[{"a":{"_deleted":true},"b":[{"_rev":1}]}],"_deleted":true}`, content{plain: 1}},
		{"a key in a string does not count", `{"docs":[{"a":"\"_deleted\":true"}]}`, content{plain: 1}},
		{"escaped keys count", `{"\u0064ocs":[{"\u005f\u0064eleted":true}]}`, content{deletes: 1}},
		{"what is true to some", `{"docs":[{"_deleted":1},{"_deleted":"no"},{"_deleted":[]},{"_deleted":{}}]}`, content{deletes: 4}},
		{"what is true to none", `{"docs":[{"_deleted":false},{"_deleted":null}]}`, content{plain: 2}},
		{"as they are", `{"docs":[{}],"new_edits":false}`, content{plain: 1, asIs: true}},
		{"all or nothing", `{"all_or_nothing":true,"docs":[{}],"new_edits":true}`, content{plain: 1, asIs: true}},
		{"not all or nothing", `{"all_or_nothing":false,"docs":[{}]}`, content{plain: 1}},
		{"as they are, said strangely", `{"docs":[{}],"new_edits":0}`, content{plain: 1, asIs: true}},
		{"all values", `{"docs":[{"a":[1,-0.5e+10,true,false,null,"","\\",{},[],[[]],{"b":{}}]}]}`, content{plain: 1}},
		{"a design document is looked at", `{"docs":[{"_deleted":true,"_id":"_design/d"}]}`, content{entries: []entry{{id: "_design/d", deleted: true}}}},
		{"its id is escaped", `{"docs":[{"_id":"\u005fdesign\/d"}]}`, content{entries: []entry{{id: "_design/d"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readContent(strings.NewReader(c.text), documents, false)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			got, err = readContent(iotest.OneByteReader(strings.NewReader(c.text)), documents, false)
			require.NoError(t, err, "byte by byte")
			require.Equal(t, c.want, got, "byte by byte")
		})
	}
}

func TestScanMalformed(t *testing.T) {
	for _, text := range []string{
		`{`, `[`, `{"docs"`, `{"docs":`, `{"docs":[`, `{"docs":[{`, `{"docs":[{}`, `{"docs":[{}]`, `{"docs":[{"a`, `{"docs":[{"a\`, `{"docs":[{"a\u00`,
		`{"docs":[{"a":tru}]}`, `{"docs":[{"a":True}]}`, `{"docs":[{"a":NaN}]}`, `{"docs":[{"a":undefined}]}`, `{"docs":[{"a":'x'}]}`,
		`{"docs":[{a:1}]}`, `{"docs":[{"a":1,}]}`, `{"docs":[{},]}`, `{"docs":[{}],}`, `{"docs":[{"a" 1}]}`, `{"docs":[{"a":1 "b":2}]}`, `{"docs":[{"a":[1 2]}]}`,
		`{"docs":[{"a":[}]}`, `{"docs":[{"a":{]}]}`, `{"docs":[{"a":1]}}`, `{"docs":[{"a":}]}`, `{"docs":[,{}]}`, `{"docs":[{,}]}`,
		`{"docs":[]} x`, `{"docs":[]}{}`, `{"docs":[]}]`, `{"docs":{}}`, `{"docs":1}`, `{"docs":[1]}`, `{"docs":[[]]}`, `1`, `"docs"`, `null`,
		"{\"docs\":[{\"\x01\":1}]}x", "\ufeff{}", "{\"docs\":[\x00]}", "{\x01}", `{"docs":[]/* */}`, `{"docs":[{"_id":1}]}`,
		`{"docs":[],"docs":[]}`, `{"docs":[],"\u0064ocs":[]}`, `{"docs":[{"_deleted":true,"_deleted":false}]}`, `{"docs":[{"_rev":"1","_rev":"2"}]}`,
		`{"docs":[{"a\x":1}]}`, `{"docs":[{"a":"\u12"}]}x`, `{"docs":[{"_id":"\ug000"}]}`,
		`{"docs":[{"a":` + strings.Repeat(`[`, maxDepth+1) + strings.Repeat(`]`, maxDepth+1) + `}]}`,
		strings.Repeat(`[`, 100_000),
	} {
		_, err := readContent(strings.NewReader(text), documents, false)
		require.ErrorIs(t, err, errMalformed, "%.80q", text)
		_, err = readContent(iotest.OneByteReader(strings.NewReader(text)), documents, false)
		require.ErrorIs(t, err, errMalformed, "%.80q", text)
	}
}

// A document in a database where each stands for something else is kept, up to
// a bound.
func TestScanEntriesAreBounded(t *testing.T) {
	text := `{"docs":[` + strings.Repeat(`{"_id":"a"},`, maxEntries) + `{"_id":"a"}]}`
	_, err := readContent(strings.NewReader(text), documents, true)
	require.ErrorContains(t, err, "too many")
	got, err := readContent(strings.NewReader(text), documents, false)
	require.NoError(t, err)
	require.EqualValues(t, maxEntries+1, got.plain)
}

func TestScanReaderFails(t *testing.T) {
	mine := errors.New("mine")
	for n := range 40 {
		text := `{"docs":[{"_id":"a","n":[1,"\u0041",true]}]}`[:n]
		_, err := readContent(io.MultiReader(strings.NewReader(text), iotest.ErrReader(mine)), documents, false)
		require.ErrorIs(t, err, mine, "after %q", text)
	}
}

func TestScanPurges(t *testing.T) {
	got, err := readContent(strings.NewReader(`{"a":["1-x"],"b":["1-x","2-y"],"_design\/d":[]}`), purges, false)
	require.NoError(t, err)
	require.Equal(t, content{deletes: 2, entries: []entry{{id: "_design/d", deleted: true}}}, got)
}

func TestScanStringsOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, maxString - 1, maxString, maxString + 1, windowSize - 20, windowSize, windowSize + 1, 3 * windowSize} {
		for _, fill := range []string{"a", `\"`, "é", `\u00e9`} {
			text := `{"docs":[{"` + strings.Repeat(fill, n) + `":1,"_id":"` + strings.Repeat(fill, n) + `","_deleted":true}]}`
			got, err := readContent(strings.NewReader(text), documents, false)
			require.NoError(t, err, "%d of %s", n, fill)
			require.Equal(t, content{deletes: 1}, got, "%d of %s", n, fill)
		}
	}
}

// FuzzScanBulk holds the scanner against encoding/json: what both take for
// JSON has the same documents, and what encoding/json refuses is refused.
func FuzzScanBulk(f *testing.F) {
	for _, text := range []string{
		`{"docs":[{"_id":"a","_rev":"1-x","_deleted":true}],"new_edits":false}`,
		`{"docs":[{"\u005fdeleted":true},{"a":[{},[],"\\\"",1e5,-0,null,true,false]}]}`,
		`[{"_deleted":true}]`, ` { "docs" : [ ] } `, `{"docs":[{"_id":"_design/x"}]}`, `{"a":"\ud83d\ude00"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readContent(bytes.NewReader(text), documents, false)
		again, err2 := readContent(iotest.OneByteReader(bytes.NewReader(text)), documents, false)
		require.Equal(t, err == nil, err2 == nil)
		if err != nil {
			return
		}
		require.Equal(t, got, again)
		if len(bytes.TrimSpace(text)) == 0 {
			return
		}
		want, deleted := slowly(t, text)
		require.EqualValues(t, want, got.plain+got.changes+got.deletes+int64(len(got.entries)), "documents")
		deletes := got.deletes
		for _, e := range got.entries {
			if e.deleted {
				deletes++
			}
		}
		require.Equal(t, deleted, deletes, "deleted ones")
	})
}

// slowly counts with encoding/json what the scanner accepted.
func slowly(t *testing.T, text []byte) (docs int, deleted int64) {
	t.Helper()
	var bulk struct {
		Docs []map[string]any `json:"docs"`
	}
	var err error
	if text = bytes.TrimSpace(text); text[0] == '[' {
		err = json.Unmarshal(text, &bulk.Docs)
	} else {
		var members map[string]json.RawMessage // keys as they are: encoding/json folds those of structs
		if err = json.Unmarshal(text, &members); err == nil && members["docs"] != nil {
			err = json.Unmarshal(members["docs"], &bulk.Docs)
		}
	}
	if err != nil { // numbers and control bytes in strings: no key is there
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) && (strings.Contains(syntax.Error(), "numeric") || strings.Contains(syntax.Error(), "string") ||
			strings.Contains(syntax.Error(), "after") || strings.Contains(syntax.Error(), "exceeded")) || isRange(err) {
			t.Skip()
		}
		t.Fatalf("%q was accepted: %v", text, err)
	}
	for _, d := range bulk.Docs {
		if v, ok := d["_deleted"]; ok && v != false && v != nil {
			deleted++
		}
	}
	return len(bulk.Docs), deleted
}

func isRange(err error) bool {
	var wrong *json.UnmarshalTypeError
	return errors.As(err, &wrong)
}

// bulkOf is a bulk of documents as applications write them.
func bulkOf(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"docs":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"_id":"org.example.invoice:%08d","type":"invoice","customer":"customer-%05d","total":%d.50,`+
			`"lines":[{"sku":"A-%d","count":2,"text":"A thing of some kind, in blue"}],"paid":false,"note":null}`, i, i%977, i%500, i%31)
	}
	b.WriteString(`],"new_edits":true}`)
	return b.Bytes()
}

func BenchmarkScanBulk(b *testing.B) {
	text := bulkOf(10_000)
	r := &reader{scanner: newScanner()}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r.reset(bytes.NewReader(text))
		r.content = content{}
		if err := r.readAll(documents); err != nil || r.plain != 10_000 {
			b.Fatal(err, r.plain)
		}
	}
}

// BenchmarkScanBase64 is a document with an attachment in it.
func BenchmarkScanBase64(b *testing.B) {
	text := []byte(`{"_attachments":{"a":{"data":"` + strings.Repeat("QUJDREVGR0hJSktMTU5PUA", 100_000) + `"}}}`)
	r := &reader{scanner: newScanner()}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.reset(bytes.NewReader(text))
		r.content = content{}
		if err := r.readAll(document); err != nil {
			b.Fatal(err)
		}
	}
}
