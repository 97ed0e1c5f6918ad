package couch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/dbguard/dbguard-go/internal/couchmatrix"
)

// Fixture is what the requests of the matrix find: always the same databases with the same
// documents. It is created and read without the guard.
type Fixture struct {
	*Server
	http.Client
	rev, designRev string
}

// NewFixture drops and creates the databases.
func NewFixture(ctx context.Context, s *Server) (*Fixture, error) {
	f := &Fixture{Server: s}
	names, err := f.databases(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		remove := f.drop
		if name[0] == '_' {
			remove = f.empty
		}
		if err := remove(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{couchmatrix.DB, couchmatrix.Slashed, couchmatrix.Other} {
		if err := f.do(ctx, http.MethodPut, "/"+url.PathEscape(name), nil, nil); err != nil {
			return nil, err
		}
	}
	return f, f.fill(ctx)
}

func (f *Fixture) drop(ctx context.Context, name string) error {
	return f.do(ctx, http.MethodDelete, "/"+url.PathEscape(name), nil, nil)
}

// empty removes the documents of a system database, but for its design
// documents. A replication may be writing to its own: then it is tried again.
func (f *Fixture) empty(ctx context.Context, name string) (err error) {
	for range 50 {
		var left int
		if left, err = f.removeAll(ctx, name); left == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func (f *Fixture) removeAll(ctx context.Context, name string) (left int, err error) {
	var all struct {
		Rows []struct {
			ID    string
			Value struct{ Rev string }
		}
	}
	if err := f.do(ctx, http.MethodGet, "/"+name+"/_all_docs", nil, &all); err != nil {
		return 1, err
	}
	for _, row := range all.Rows {
		if strings.HasPrefix(row.ID, "_design/") {
			continue
		}
		if e := f.do(ctx, http.MethodDelete, "/"+name+"/"+url.PathEscape(row.ID)+"?rev="+row.Value.Rev, nil, nil); e != nil {
			left, err = left+1, e
		}
	}
	return left, err
}

func (f *Fixture) fill(ctx context.Context) error {
	type docs map[string]any
	type stored struct{ ID, Rev string }
	var revs []stored
	bulk := docs{"docs": []any{
		docs{"_id": "x", "n": 1, "_attachments": docs{"note.txt": docs{"content_type": "text/plain", "data": "bm90ZQ=="}}},
		docs{"_id": "y", "n": 2},
		docs{"_id": "z", "n": 3},
		docs{"_id": "_design/d", "views": docs{"v": docs{"map": "function (doc) { emit(doc._id, doc.n); }"}}},
	}}
	if err := f.do(ctx, http.MethodPost, "/"+couchmatrix.DB+"/_bulk_docs", bulk, &revs); err != nil {
		return err
	}
	for _, doc := range revs { // PouchDB answers in another order
		switch doc.ID {
		case "x":
			f.rev = doc.Rev
		case "_design/d":
			f.designRev = doc.Rev
		}
	}
	if err := f.do(ctx, http.MethodPut, "/"+couchmatrix.DB+"/_local/l", docs{"seq": 0}, nil); err != nil {
		return err
	}
	for _, name := range []string{couchmatrix.Slashed, couchmatrix.Other} {
		if err := f.do(ctx, http.MethodPut, "/"+url.PathEscape(name)+"/only", docs{"n": 1}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Replace puts real revisions into a request of the matrix.
func (f *Fixture) Replace(s string) string {
	return strings.NewReplacer(couchmatrix.Rev, f.rev, couchmatrix.DesignRev, f.designRev).Replace(s)
}

func (f *Fixture) databases(ctx context.Context) (names []string, err error) {
	return names, f.do(ctx, http.MethodGet, "/_all_dbs", nil, &names)
}

// volatile matches IDs that a server made up, times and counters: they differ from run to
// run. Revisions are digests of contents, and stay.
var volatile = regexp.MustCompile(`\d+-[0-9a-f]{32}|` +
	`[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}|` +
	`"(instance_start_time|update_seq|last_seq|seq)":"?[^,"}]*"?`)

// Masked is a text without what differs from run to run.
func Masked(s string) string {
	return volatile.ReplaceAllStringFunc(s, func(m string) string {
		switch dash := strings.IndexByte(m, '-'); {
		case m[0] == '"':
			return m[:strings.IndexByte(m, ':')] + ":0"
		case dash > 0 && len(m)-dash == 33:
			return m
		}
		return "made"
	})
}

// Contents are all documents of all databases, deleted ones too, with their
// revisions, their attachments and who may use them.
func (f *Fixture) Contents(ctx context.Context) (string, error) {
	names, err := f.databases(ctx)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, name := range names {
		for _, path := range []string{
			"/_all_docs?include_docs=true&conflicts=true&attachments=true", "/_changes?style=all_docs", "/_local/l", "/_security",
		} {
			var body json.RawMessage
			if name[0] == '_' && path[1:5] != "_all" {
				continue // tombstones stay there from one fixture to the next
			}
			if err := f.do(ctx, http.MethodGet, "/"+url.PathEscape(name)+path, nil, &body); err != nil {
				body = json.RawMessage(err.Error())
			}
			fmt.Fprintf(&all, "%s%s: %s\n", name, path, body)
		}
	}
	return Masked(all.String()), nil
}

// do sends a request and reads its answer.
func (f *Fixture) do(ctx context.Context, method, path string, body, into any) error {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, f.URL+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := f.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode >= 300:
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, text)
	case into == nil:
		return nil
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = text
		return nil
	}
	return json.Unmarshal(text, into)
}
