package couch

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-kivik/kivik/v4"
	"github.com/go-kivik/kivik/v4/couchdb"

	"github.com/dbguard/dbguard-go/dbguard"
)

// New is kivik.New("couch", dsn, opts...) with a guard: every request of the client,
// including its logins, is judged by g. All of kivik's options work, also an
// http.Client of your own by couchdb.OptionHTTPClient, whose transport is then used
// for sending; WithGate is an option here.
func New(dsn string, g *dbguard.Guard, opts ...kivik.Option) (*kivik.Client, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	c := configured(opts)
	if c.prefix == "" {
		c.prefix = prefixOf(dsn)
	}
	client := &http.Client{}
	for _, o := range opts {
		if o != nil {
			o.Apply(client)
		}
	}
	client.Transport = missing{newTransport(client.Transport, g, c)}
	return kivik.New("couch", dsn, append(opts[:len(opts):len(opts)], couchdb.OptionHTTPClient(client))...)
}

// prefixOf is the path of a data source name.
func prefixOf(dsn string) string {
	if !strings.HasPrefix(dsn, "http://") && !strings.HasPrefix(dsn, "https://") {
		dsn = "http://" + dsn
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "" // kivik.New says what is wrong with it
	}
	return cleanPrefix(u.EscapedPath())
}
