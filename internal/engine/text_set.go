package engine

import "hash/maphash"

// textSet is a set of texts. It is direct-mapped: the hash selects the slot, equality
// decides. It copies, since a text may live in a buffer that its owner reuses, and
// holds at most a quarter of a megabyte.
type textSet struct {
	slots [textSlots][]byte
}

// textSlots is how many texts are cached at most.
const textSlots = 64

// maxKept is the longest text that is cached.
const maxKept = 4 << 10

var textSeed = maphash.MakeSeed()

func slotOf(text string) uint64 { return maphash.String(textSeed, text) % textSlots }

func (c *textSet) has(text string) bool {
	return text != "" && len(text) <= maxKept && string(c.slots[slotOf(text)]) == text
}

func (c *textSet) add(text string) {
	if len(text) <= maxKept {
		slot := &c.slots[slotOf(text)]
		*slot = append((*slot)[:0], text...)
	}
}
