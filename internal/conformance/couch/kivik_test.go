package couch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-kivik/kivik/v4"
	"github.com/go-kivik/kivik/v4/couchdb/chttp"
	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/couch"
	"github.com/dbguard/dbguard-go/dbguard"
	harness "github.com/dbguard/dbguard-go/internal/conformance/couch"
	"github.com/dbguard/dbguard-go/internal/couchmatrix"
)

// call is one use of a method of kivik.
type call struct {
	method string // "DB.Put"
	run    func(context.Context, *kivik.Client, *harness.Fixture) (any, error)
}

// rows reads a result set to its end.
func rows(rs *kivik.ResultSet) (any, error) {
	var all []string
	for rs.Next() {
		id, idErr := rs.ID()
		rev, _ := rs.Rev()
		var key, value, doc json.RawMessage
		keyErr, valueErr, docErr := rs.ScanKey(&key), rs.ScanValue(&value), rs.ScanDoc(&doc)
		all = append(all, fmt.Sprint(id, idErr, rev, string(key), keyErr, string(value), valueErr, string(doc), docErr))
	}
	if err := rs.Err(); err != nil {
		return all, err // Metadata panics then
	}
	meta, metaErr := rs.Metadata()
	return []any{all, meta, fmt.Sprint(metaErr), fmt.Sprint(rs.Close())}, rs.Err()
}

func document(d *kivik.Document) (any, error) {
	var doc json.RawMessage
	err := d.ScanDoc(&doc)
	rev, _ := d.Rev()
	return []any{rev, string(doc)}, err
}

func attachment(a *kivik.Attachment, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(a.Content)
	return []any{a.Filename, a.ContentType, a.Size, string(text), fmt.Sprint(a.Content.Close())}, err
}

func onDB(f func(context.Context, *kivik.DB, *harness.Fixture) (any, error)) func(context.Context, *kivik.Client, *harness.Fixture) (any, error) {
	return func(ctx context.Context, c *kivik.Client, w *harness.Fixture) (any, error) {
		return f(ctx, c.DB(couchmatrix.DB), w)
	}
}

func rev(w *harness.Fixture) string       { return w.Replace(couchmatrix.Rev) }
func designRev(w *harness.Fixture) string { return w.Replace(couchmatrix.DesignRev) }

func clientCalls() []call {
	type m = map[string]any
	return []call{
		{"Client.AllDBs", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.AllDBs(ctx) }},
		{"Client.AllDBsStats", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.AllDBsStats(ctx) }},
		{"Client.Close", func(_ context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return nil, c.Close() }},
		{"Client.ClusterSetup", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return nil, c.ClusterSetup(ctx, m{"action": "finish_cluster"})
		}},
		{"Client.ClusterStatus", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.ClusterStatus(ctx)
		}},
		{"Client.Config", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.Config(ctx, "_local")
		}},
		{"Client.ConfigSection", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.ConfigSection(ctx, "_local", "log")
		}},
		{"Client.ConfigValue", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.ConfigValue(ctx, "_local", "log", "level")
		}},
		{"Client.SetConfigValue", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.SetConfigValue(ctx, "_local", "couchdb", "max_document_size", "8000000")
		}},
		{"Client.DeleteConfigKey", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.DeleteConfigKey(ctx, "_local", "couchdb", "none")
		}},
		{"Client.CreateDB", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return nil, c.CreateDB(ctx, "fresh")
		}},
		{"Client.CreateDB", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return nil, c.CreateDB(ctx, couchmatrix.DB)
		}},
		{"Client.DB", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return nil, c.DB("").Err()
		}},
		{"Client.DBExists", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.DBExists(ctx, "nowhere")
		}},
		{"Client.DBExists", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.DBExists(ctx, couchmatrix.Slashed)
		}},
		{"Client.DBUpdates", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			u := c.DBUpdates(ctx)
			for u.Next() {
			}
			return fmt.Sprint(u.Close()), u.Err()
		}},
		{"Client.DBsStats", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.DBsStats(ctx, []string{couchmatrix.DB, "nowhere"})
		}},
		{"Client.DSN", func(_ context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.DSN(), nil }},
		{"Client.Driver", func(_ context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.Driver(), nil }},
		{"Client.DestroyDB", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return nil, c.DestroyDB(ctx, couchmatrix.DB)
		}},
		{"Client.DestroyDB", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return nil, c.DestroyDB(ctx, "nowhere")
		}},
		{"Client.GetReplications", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.GetReplications(ctx)
		}},
		{"Client.Replicate", func(ctx context.Context, c *kivik.Client, w *harness.Fixture) (any, error) {
			_, err := c.Replicate(ctx, w.URL+"/"+couchmatrix.Other, w.URL+"/nowhere", kivik.Param("_id", "r"))
			return nil, err
		}},
		{"Client.Membership", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.Membership(ctx) }},
		{"Client.Ping", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.Ping(ctx) }},
		{"Client.Session", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.Session(ctx) }},
		{"Client.Version", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) { return c.Version(ctx) }},
	}
}

func readCalls() []call {
	type m = map[string]any
	return []call{
		{"DB.AllDocs", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.AllDocs(ctx, kivik.IncludeDocs()))
		})},
		{"DB.AllDocs", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.AllDocs(ctx, kivik.Param("keys", []string{"x", "none"})))
		})},
		{"DB.AllDocs", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return rows(c.DB("nowhere").AllDocs(ctx))
		}},
		{"DB.BulkGet", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.BulkGet(ctx, []kivik.BulkGetReference{{ID: "x"}, {ID: "none"}}))
		})},
		{"DB.Changes", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			changes, ids := db.Changes(ctx), []string{}
			for changes.Next() {
				ids = append(ids, fmt.Sprint(changes.ID(), changes.Changes(), changes.Deleted()))
			}
			return []any{ids, fmt.Sprint(changes.Close())}, changes.Err()
		})},
		{"DB.Client", onDB(func(_ context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Client().Driver(), nil
		})},
		{"DB.Close", onDB(func(_ context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return nil, db.Close() })},
		{"DB.DesignDocs", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.DesignDocs(ctx))
		})},
		{"DB.Err", onDB(func(_ context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return nil, db.Err() })},
		{"DB.Explain", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Explain(ctx, m{"selector": m{"n": 1}})
		})},
		{"DB.Find", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.Find(ctx, m{"selector": m{"n": m{"$gt": 1}}}))
		})},
		{"DB.Get", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return document(db.Get(ctx, "x"))
		})},
		{"DB.Get", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return document(db.Get(ctx, "none"))
		})},
		{"DB.Get", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return document(db.Get(ctx, ""))
		})},
		{"DB.Get", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return document(c.DB("nowhere").Get(ctx, "x"))
		}},
		{"DB.GetAttachment", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return attachment(db.GetAttachment(ctx, "x", "note.txt"))
		})},
		{"DB.GetAttachmentMeta", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return attachment(db.GetAttachmentMeta(ctx, "x", "note.txt"))
		})},
		{"DB.GetIndexes", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return db.GetIndexes(ctx) })},
		{"DB.GetRev", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.GetRev(ctx, "none")
		})},
		{"DB.LocalDocs", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.LocalDocs(ctx))
		})},
		{"DB.Name", onDB(func(_ context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return db.Name(), nil })},
		{"DB.OpenRevs", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return rows(db.OpenRevs(ctx, "x", []string{rev(w)}))
		})},
		{"DB.PartitionStats", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.PartitionStats(ctx, "p")
		})},
		{"DB.Query", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.Query(ctx, "d", "v"))
		})},
		{"DB.RevsDiff", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return rows(db.RevsDiff(ctx, m{"x": []string{"9-a"}}))
		})},
		{"DB.Security", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return db.Security(ctx) })},
		{"DB.Stats", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return db.Stats(ctx) })},
		{"DB.Stats", func(ctx context.Context, c *kivik.Client, _ *harness.Fixture) (any, error) {
			return c.DB("nowhere").Stats(ctx)
		}},
	}
}

func writeCalls() []call {
	type m = map[string]any
	return []call{
		{"DB.BulkDocs", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return db.BulkDocs(ctx, []any{m{"_id": "new"}, m{"_id": "x", "_rev": rev(w), "_deleted": true}, m{"_id": "y", "_rev": "1-wrong"}})
		})},
		{"DB.BulkDocs", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.BulkDocs(ctx, []any{make(chan int)})
		})},
		{"DB.Compact", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return nil, db.Compact(ctx) })},
		{"DB.CompactView", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return nil, db.CompactView(ctx, "d")
		})},
		{"DB.Copy", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Copy(ctx, "copy", "y")
		})},
		{"DB.CreateDoc", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			id, rev, err := db.CreateDoc(ctx, m{"_id": "new"})
			return []string{id, rev}, err
		})},
		{"DB.CreateIndex", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return nil, db.CreateIndex(ctx, "i", "n", m{"fields": []string{"n"}})
		})},
		{"DB.DeleteIndex", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return nil, db.DeleteIndex(ctx, "i", "n")
		})},
		{"DB.Delete", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return db.Delete(ctx, "x", rev(w))
		})},
		{"DB.Delete", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Delete(ctx, "x", "1-wrong")
		})},
		{"DB.Delete", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Delete(ctx, "", "1-x")
		})},
		{"DB.Delete", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return db.Delete(ctx, "_design/d", designRev(w))
		})},
		{"DB.DeleteAttachment", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return db.DeleteAttachment(ctx, "x", rev(w), "note.txt")
		})},
		{"DB.Flush", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return nil, db.Flush(ctx) })},
		{"DB.Purge", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return db.Purge(ctx, map[string][]string{"x": {rev(w)}})
		})},
		{"DB.Put", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Put(ctx, "new", m{"a": "é\"\\"})
		})},
		{"DB.Put", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return db.Put(ctx, "x", m{"_rev": rev(w), "_deleted": true})
		})},
		{"DB.Put", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) { return db.Put(ctx, "x", m{}) })},
		{"DB.Put", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Put(ctx, "x", make(chan int))
		})},
		{"DB.Put", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Put(ctx, "x", []byte(`{"a":`))
		})},
		{"DB.Put", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Put(ctx, "new", m{"_attachments": &kivik.Attachments{"a.txt": {
				Filename: "a.txt", ContentType: "text/plain", Content: io.NopCloser(strings.NewReader("an attachment")),
			}}})
		})},
		{"DB.PutAttachment", onDB(func(ctx context.Context, db *kivik.DB, w *harness.Fixture) (any, error) {
			return db.PutAttachment(ctx, "x", &kivik.Attachment{
				Filename: "b.txt", ContentType: "text/plain", Content: io.NopCloser(strings.NewReader("another")),
			}, kivik.Rev(rev(w)))
		})},
		{"DB.SetSecurity", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return nil, db.SetSecurity(ctx, &kivik.Security{Members: kivik.Members{Names: []string{"ada"}}})
		})},
		{"DB.Update", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return db.Update(ctx, "d", "u", "x", m{})
		})},
		{"DB.ViewCleanup", onDB(func(ctx context.Context, db *kivik.DB, _ *harness.Fixture) (any, error) {
			return nil, db.ViewCleanup(ctx)
		})},
	}
}

// callResult is the value of a call, its error as far as a program can inspect it, and what
// is in the databases afterwards.
type callResult struct {
	value, contents string
	failed          bool
	status          int
	reason          string
	cancelled       bool
}

func runCall(t *testing.T, s *harness.Server, c call, open func(string) (*kivik.Client, error)) callResult {
	t.Helper()
	w := newFixture(t, s)
	cl, err := open(w.URL)
	require.NoError(t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	value, err := c.run(ctx, cl, w)
	text, jsonErr := json.Marshal(value)
	require.NoError(t, jsonErr)
	got := callResult{value: harness.Masked(string(text)), failed: err != nil, status: kivik.HTTPStatus(err), cancelled: errors.Is(err, context.DeadlineExceeded)}
	var httpErr *chttp.HTTPError
	if errors.As(err, &httpErr) {
		got.reason = harness.Masked(httpErr.Reason)
	} else if err != nil {
		got.reason = err.Error()
	}
	if c.method == "Client.Replicate" {
		return got // it goes on in the background, and writes the time to its document
	}
	got.contents, err = w.Contents(t.Context())
	require.NoError(t, err)
	return got
}

// In Observe mode a client behaves like a bare one in every method of kivik: its results,
// its streams, its errors, and what it leaves behind.
func TestKivik(t *testing.T) {
	s := harness.Servers(t)[0]
	g, err := dbguard.New(dbguard.Policy{Mode: dbguard.Observe})
	require.NoError(t, err)
	calls := slices.Concat(clientCalls(), readCalls(), writeCalls())
	for i, c := range calls {
		t.Run(fmt.Sprintf("%s %d", c.method, i), func(t *testing.T) {
			bare := runCall(t, s, c, func(url string) (*kivik.Client, error) { return kivik.New("couch", url) })
			observed := runCall(t, s, c, func(url string) (*kivik.Client, error) { return couch.New(url, g) })
			require.Equal(t, bare, observed)
		})
	}
	require.Empty(t, uncalledMethods(calls))
}

// uncalledMethods are the methods of kivik that no call uses.
func uncalledMethods(calls []call) (names []string) {
	for _, of := range []reflect.Type{reflect.TypeFor[*kivik.Client](), reflect.TypeFor[*kivik.DB]()} {
		for i := range of.NumMethod() {
			name := of.Elem().Name() + "." + of.Method(i).Name
			if !slices.ContainsFunc(calls, func(c call) bool { return c.method == name }) {
				names = append(names, name)
			}
		}
	}
	return names
}
