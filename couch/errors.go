package couch

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/dbguard/dbguard-go/dbguard"
)

// refusal is a Violation as an error for kivik, which asks errors for a status: 403,
// or 503 while the server is not ready.
type refusal struct{ *dbguard.Violation }

// Unwrap is the Violation.
func (r *refusal) Unwrap() error { return r.Violation }

// HTTPStatus is the result of kivik.HTTPStatus for the error.
func (r *refusal) HTTPStatus() int {
	if errors.Is(r.Violation, dbguard.NotReady) {
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

func asRefusal(err error) error {
	var v *dbguard.Violation
	if errors.As(err, &v) {
		return &refusal{v}
	}
	return err
}

// effectOf says what is known of the database after a response. It follows what
// clusters have been seen to do: a PUT of a database that was answered 202, 412 or
// 500 had emptied one nevertheless.
func effectOf(r *analysis, res *http.Response, err error) (dbguard.Effect, error) {
	var dial *net.OpError
	switch {
	case err != nil && errors.As(err, &dial) && dial.Op == "dial":
		return dbguard.EffectNone, err
	case err != nil:
		return dbguard.EffectUnknown, err
	case res.StatusCode == http.StatusAccepted, res.StatusCode >= 500, res.StatusCode == http.StatusRequestTimeout,
		res.StatusCode == http.StatusExpectationFailed, r.createsDB && res.StatusCode == http.StatusPreconditionFailed:
		return dbguard.EffectUnknown, statusError(res)
	case res.StatusCode >= 300:
		return dbguard.EffectNone, statusError(res)
	}
	return dbguard.EffectApplied, nil
}

// statusError is a response as an error, for the trace.
func statusError(res *http.Response) error {
	return fmt.Errorf("the server answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
}
