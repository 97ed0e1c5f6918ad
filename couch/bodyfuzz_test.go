package couch

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// FuzzDocument compares the whole adapter with encoding/json: a document that is sent
// without a bound neither deletes nor replaces another, however its body is encoded,
// and whichever of two equal keys a server uses.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{
		`{"_deleted":true}`, `{"_rev":"1-x"}`, `{"_revisions":{"start":1,"ids":[]}}`, `{"\u005fdeleted":true}`, `{"a":{"_deleted":true}}`,
		`{"_deleted":false,"_deleted":true}`, `{"n":[1,2,{"a":null}]}`, `{"a":"` + strings.Repeat("x", 100) + `"}`, ``, `[]`,
	} {
		for form := range byte(4) {
			f.Add([]byte(text), form)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, form byte) {
		sent := false
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			sent = true
			_, err := io.Copy(io.Discard, req.Body)
			err = errors.Join(err, req.Body.Close())
			return &http.Response{StatusCode: http.StatusCreated, Body: http.NoBody, Request: req}, err
		})
		res, err := newTestTransport(t, base, 32).RoundTrip(fuzzRequest(t, text, form))
		if err != nil {
			require.ErrorIs(t, err, dbguard.ErrRefused)
			require.False(t, sent)
			return
		}
		require.NoError(t, res.Body.Close())
		require.True(t, sent)
		require.Empty(t, destructive(text), "%q was sent", text)
	})
}

// fuzzRequest is a PUT of the text: plain, of unknown length, compressed, or
// compressed as it is.
func fuzzRequest(t *testing.T, text []byte, form byte) *http.Request {
	t.Helper()
	var body io.Reader = bytes.NewReader(text)
	encoding := ""
	switch form % 4 {
	case 1:
		body = io.MultiReader(body)
	case 2:
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(text)
		_ = z.Close()
		body, encoding = &b, "gzip"
	case 3:
		encoding = "gzip"
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://couch.test/db/doc", body)
	require.NoError(t, err)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	return req
}

// destructive is the first key of the outermost object that deletes or follows
// on, "" if there is none or the text is no object.
func destructive(text []byte) string {
	if !json.Valid(text) {
		return ""
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return ""
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return ""
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			if errors.Is(err, io.EOF) {
				return ""
			}
			value = nil
		}
		switch {
		case key == "_rev", key == "_revisions", key == "_deleted" && value == true:
			return key.(string)
		}
	}
	return ""
}
