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

// ErrDatabaseMissing matches, by errors.Is, the 404 for a database on a client made
// by New; that for a missing document does not match. A caller that gets it must
// neither create the database nor conclude that there is no data: more often than not
// it is the wrong server, or one that is not ready.
var ErrDatabaseMissing = errors.New("the database does not exist")

// missing turns the response that a database does not exist into an error, which
// wraps kivik's own.
type missing struct{ *transport }

// RoundTrip sends the request, and checks what was not found.
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

// databaseMissing reads the reason, and restores the body. The response to a HEAD has
// none: after one for a document, a HEAD for its database is sent.
func (m missing) databaseMissing(req *http.Request, res *http.Response) (reason string, ok bool) {
	if req.Method == http.MethodHead {
		r := &analysis{request: readRequest(req, m.prefix)}
		r.route()
		if r.db == "" || len(normalPath(r.path)) == 1 {
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

// isDatabaseMissing knows the texts of CouchDB 2 and 3, and those of CouchDB 1 and
// PouchDB.
func isDatabaseMissing(body []byte) bool {
	var answer struct {
		Error, Reason string
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error != "not_found" {
		return false
	}
	return strings.HasPrefix(answer.Reason, "Database does not exist") || answer.Reason == "no_db_file"
}

// databaseMissing is kivik's error for the same response, extended by Is.
type databaseMissing struct{ chttp.HTTPError }

// Is matches ErrDatabaseMissing.
func (e *databaseMissing) Is(target error) bool { return target == ErrDatabaseMissing } //nolint:errorlint // a sentinel

// Unwrap is the error as kivik would have made it.
func (e *databaseMissing) Unwrap() error { return &e.HTTPError }
