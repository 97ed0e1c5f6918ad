package couch

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbguard/dbguard-go/dbguard"
)

// Behind the document there are attachments, and nothing that a server may take for
// another document.
func TestPartsBehindTheFirst(t *testing.T) {
	const gone = `{"_id":"x","_rev":"1-x","_deleted":true}`
	const named = "Content-Disposition: attachment; filename=\"a.json\"\r\n"
	for name, tt := range map[string]struct {
		part    string
		refused bool
	}{
		"a document":                       {"\r\n" + gone, true},
		"a document, after a blank":        {"Content-Type: text/plain\r\n\r\n \n" + gone, true},
		"a document with an id":            {"\r\n" + `{"_id":"y"}`, true},
		"a document that is disposed of":   {"Content-Disposition: form-data; name=\"filename\"\r\n\r\n" + gone, true},
		"a filename that is none":          {"Content-Disposition: attachment; filename=\"\"\r\n\r\n" + gone, true},
		"two dispositions":                 {named + "Content-Disposition: form-data\r\n\r\n" + gone, true},
		"what cannot be read":              {"\r\n" + `{"_id":"x","_id":"y"}`, true},
		"what is encoded":                  {"Content-Transfer-Encoding: base64\r\n\r\ne30=", true},
		"a document with a filename":       {named + "\r\n" + gone, false},
		"JSON that is no document":         {"Content-Type: application/json\r\n\r\n" + `{"a":{"_id":"x"}}`, false},
		"a picture without a filename":     {"Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n" + gone, false},
		"a text with a filename, encoded":  {named + "Content-Transfer-Encoding: base64\r\n\r\ne30=", false},
		"a text without a filename":        {"\r\nsome text", false},
		"nothing":                          {"\r\n", false},
		"a body that does not end":         {"\r\nsome text\x00", true},
		"a document behind an attachment":  {named + "\r\ntext\r\n--b\r\n\r\n" + gone, true},
		"an attachment behind one without": {"\r\ntext\r\n--b\r\n" + named + "\r\n" + gone, false},
	} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			base := roundTripper(func(req *http.Request) (*http.Response, error) {
				sent++
				return &http.Response{StatusCode: http.StatusCreated, Body: http.NoBody, Request: req}, req.Body.Close()
			})
			body := "--b\r\nContent-Type: application/json\r\n\r\n{\"n\":1}\r\n--b\r\n" + tt.part + "\r\n--b--\r\n"
			if strings.HasSuffix(tt.part, "\x00") {
				body = strings.TrimSuffix(body, "\r\n--b--\r\n")
			}
			req, err := http.NewRequestWithContext(dbguard.AtMost(t.Context(), 1), http.MethodPut, "http://couch.test/db/doc", strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set("Content-Type", `multipart/related; boundary="b"`)
			res, err := newTestTransport(t, base, 1<<20).RoundTrip(req)
			if tt.refused {
				require.ErrorIs(t, err, dbguard.Unreadable)
				require.Zero(t, sent)
				return
			}
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
		})
	}
}
