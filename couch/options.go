package couch

import (
	"strings"

	"github.com/go-kivik/kivik/v4"

	"github.com/dbguard/dbguard-go/dbguard"
)

// config is what options set.
type config struct {
	gate   *dbguard.Gate
	prefix string
}

// option is one of this package's among those of kivik, which pass by what
// they do not know.
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

// WithGate refuses what changes anything while the gate is closed, as rule
// DG401. The gate is asked before every such request; it costs no round trip.
func WithGate(gate *dbguard.Gate) kivik.Option {
	return option{func(c *config) { c.gate = gate }}
}

// WithPrefix says under which path of its host the server is, where a proxy
// puts it under one: "/couchdb". New takes it from the data source name. A
// request that is not under it is refused unless it only reads.
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
