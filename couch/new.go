package couch

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-kivik/kivik/v4"
	"github.com/go-kivik/kivik/v4/couchdb"

	"github.com/dbguard/dbguard-go/dbguard"
)

// New is kivik.New("couch", dsn, opts...) behind the door: every request of the
// client, those of its logins included, is judged by g. All options of kivik
// work, a client of your own by couchdb.OptionHTTPClient too, whose transport
// is then the one that sends; WithGate is an option here.
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
