package couch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-kivik/kivik/v4/couchdb/chttp"
)

// ErrDatabaseMissing is what a 404 for a database is, in errors.Is, on a client
// made by New; a missing document is not. Whoever gets it must neither create
// the database nor remember that there is nothing: more often than not it is
// the wrong server, or one that is not ready.
var ErrDatabaseMissing = errors.New("the database does not exist")

// missing turns the answer that a database does not exist into an error, as
// kivik would, with kivik's own error in it.
type missing struct{ *transport }

// RoundTrip asks the door, and looks at what was not found.
func (m missing) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := m.transport.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusNotFound {
		return res, err
	}
	reason, ok := m.databaseMissing(req, res)
	if !ok {
		return res, nil
	}
	_ = res.Body.Close()
	return nil, &databaseMissing{chttp.HTTPError{Response: res, Reason: reason}}
}

// maxReason bounds what is read of an error's body.
const maxReason = 4 << 10

// databaseMissing reads the reason, and puts what it read back. The answer to
// a HEAD has none: that of a document is followed by one for its database.
func (m missing) databaseMissing(req *http.Request, res *http.Response) (reason string, ok bool) {
	if req.Method == http.MethodHead {
		r := &reading{request: readRequest(req, m.prefix)}
		r.locate()
		if r.db == "" || len(normal(r.path)) == 1 {
			return "", r.db != ""
		}
		status, _, err := m.node(req).ask(req.Context(), http.MethodHead, "/"+url.PathEscape(r.db))
		return "", err == nil && status == http.StatusNotFound
	}
	head, _ := io.ReadAll(io.LimitReader(res.Body, maxReason))
	res.Body = &spoolReader{Reader: io.MultiReader(bytes.NewReader(head), res.Body), close: res.Body.Close}
	if !isDatabaseMissing(head) {
		return "", false
	}
	var answer struct{ Reason string }
	_ = json.Unmarshal(head, &answer)
	return answer.Reason, true
}

// isDatabaseMissing knows the words of CouchDB 2 and 3, and those of CouchDB 1
// and PouchDB.
func isDatabaseMissing(body []byte) bool {
	var answer struct {
		Error, Reason string
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error != "not_found" {
		return false
	}
	return strings.HasPrefix(answer.Reason, "Database does not exist") || answer.Reason == "no_db_file"
}

// databaseMissing is kivik's error of the same answer, and more.
type databaseMissing struct{ chttp.HTTPError }

// Is makes it an ErrDatabaseMissing.
func (e *databaseMissing) Is(target error) bool { return target == ErrDatabaseMissing } //nolint:errorlint // a sentinel

// Unwrap is the error as kivik would have made it.
func (e *databaseMissing) Unwrap() error { return &e.HTTPError }
