package sqlscan

const (
	keywordTableSize = 2048 // sparse, so that most words that are no keyword miss at once
	longestKeyword   = 20
)

// keywordTable finds keywords by a hash of their length and three of their letters.
var keywordTable = func() (t [keywordTableSize]keyword) {
	for k := keyword(1); k < keywordCount; k++ {
		h := keywordHash(keywords[k].name)
		for t[h] != 0 {
			h = (h + 1) % keywordTableSize
		}
		t[h] = k
	}
	return t
}()

// keywordHash takes a word of two bytes or more. Setting bit 0x20 folds letters.
func keywordHash(w string) uint32 {
	n := uint32(len(w))
	first, second := uint32(w[0]|0x20), uint32(w[1]|0x20)
	mid, last := uint32(w[n/2]|0x20), uint32(w[n-1]|0x20)
	return (first*31 + second*131 + mid*641 + last*1031 + n*7) % keywordTableSize
}

// lookup is the keyword that the word spells, in any case.
func lookup(w string) keyword {
	if len(w) < 2 || len(w) > longestKeyword {
		return 0
	}
	for h := keywordHash(w); ; h = (h + 1) % keywordTableSize {
		k := keywordTable[h]
		if k == 0 || equalFold(keywords[k].name, w) {
			return k
		}
	}
}
