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

// changedBy reports that the text may change a setting that a mode depends on.
func (m *modes) changedBy(text string) bool { return m.known && namesMode(text) }

// namesMode reports that the text may change a setting that a mode depends on,
// each time that it runs.
func namesMode(text string) bool {
	return slices.ContainsFunc(modeWords, func(word string) bool { return containsFold(text, word) })
}

// modeWords are in every text that changes a mode by itself.
var modeWords = []string{"sql_mode", "standard_conforming_strings", "reset", "discard", "names", "charset", "character", "set_config"}

// containsFold reports whether text contains the lower-case ASCII word.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
