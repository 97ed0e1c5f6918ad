package engine

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// readCache remembers texts that only read. It is direct-mapped: a hash names
// the slot, equality decides. It copies, since a text may live in a buffer that
// its owner writes to again, and holds at most a quarter of a megabyte.
type readCache struct {
	slots [64][]byte
}

// maxCached is the longest text that is kept.
const maxCached = 4 << 10

var cacheSeed = maphash.MakeSeed()

func (c *readCache) slot(text string) *[]byte {
	return &c.slots[maphash.String(cacheSeed, text)%uint64(len(c.slots))]
}

func (c *readCache) has(text string) bool {
	return text != "" && len(text) <= maxCached && string(*c.slot(text)) == text
}

func (c *readCache) add(text string) {
	if len(text) <= maxCached {
		slot := c.slot(text)
		*slot = append((*slot)[:0], text...)
	}
}

// modes is the session state that changes how a text is read.
type modes struct {
	mode  sqlscan.Mode
	known bool // the server has been asked, and nothing has changed since
}

// matter reports that the text may read differently in another mode, and that
// the mode is not certain.
func (m *modes) matter(t *sqlscan.Text) bool { return t.ModeMatters && !m.known }

// changesMode reports that the text may change a setting that a mode depends on,
// each time that it runs.
func changesMode(t *sqlscan.Text) bool {
	names := func(word string) bool { return containsFold(t.Source, word) }
	return slices.ContainsFunc(modeWords, names) || slices.ContainsFunc(t.Ops, steers) && slices.ContainsFunc(charsetWords, names)
}

// steers reports an operation that may choose a character set.
func steers(op sqlscan.Op) bool {
	return op.Kind == sqlscan.Session || op.Kind == sqlscan.Opaque || op.Kind == sqlscan.Unreadable
}

// modeWords are in every text that changes a mode by itself; charsetWords, in what
// steers the session.
var (
	modeWords    = []string{"sql_mode", "standard_conforming_strings", "reset", "discard", "set_config"}
	charsetWords = []string{"names", "charset", "character"}
)

// containsFold reports whether text contains the lower-case ASCII word.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
