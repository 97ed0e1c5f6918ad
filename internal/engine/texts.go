package engine

import "hash/maphash"

// textSet holds texts of which something is known. It is direct-mapped: a hash names
// the slot, equality decides. It copies, since a text may live in a buffer that its
// owner writes to again, and holds at most a quarter of a megabyte.
type textSet struct {
	slots [64][]byte
}

// maxKept is the longest text that is kept.
const maxKept = 4 << 10

var textSeed = maphash.MakeSeed()

func slotOf(text string) uint64 { return maphash.String(textSeed, text) % 64 }

func (c *textSet) has(text string) bool {
	return text != "" && len(text) <= maxKept && string(c.slots[slotOf(text)]) == text
}

func (c *textSet) add(text string) {
	if len(text) <= maxKept {
		slot := &c.slots[slotOf(text)]
		*slot = append((*slot)[:0], text...)
	}
}
