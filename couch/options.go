package couch

import (
	"strings"

	"github.com/go-kivik/kivik/v4"

	"github.com/dbguard/dbguard-go/dbguard"
)

// config is the result of the options.
type config struct {
	gate   *dbguard.Gate
	prefix string
}

// option is an option of this package. It can be passed among those of kivik, which
// ignores it.
type option struct{ set func(*config) }

// Apply sets the option if target is this package's configuration.
func (o option) Apply(target any) {
	if c, ok := target.(*config); ok {
		o.set(c)
	}
}

func configured(opts []kivik.Option) config {
	var c config
	for _, o := range opts {
		if o != nil {
			o.Apply(&c)
		}
	}
	return c
}

// WithGate refuses what changes anything while the gate is closed, as rule DG401. The
// gate is checked before every such request, without a round trip.
func WithGate(gate *dbguard.Gate) kivik.Option {
	return option{func(c *config) { c.gate = gate }}
}

// WithPrefix sets the path under which a proxy serves CouchDB, such as "/couchdb".
// New takes it from the data source name. A request that is not under it is refused
// unless it only reads.
func WithPrefix(path string) kivik.Option {
	return option{func(c *config) { c.prefix = cleanPrefix(path) }}
}

func cleanPrefix(path string) string {
	path = strings.Trim(path, "/")
	if path == "" {
		return ""
	}
	return "/" + path
}
