package property

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// random is the only source of randomness in a case: the seed decides it.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))} }

// percent is true in n cases of a hundred.
func (d random) percent(n int) bool { return d.IntN(100) < n }

// between is a number from low to high, both included.
func (d random) between(low, high int) int { return low + d.IntN(high-low+1) }

func pick[T any](d random, of []T) T { return of[d.IntN(len(of))] }

// word picks one of several words, given as one text.
func (d random) word(words string) string { return pick(d, strings.Fields(words)) }

// arg is a number in a statement that may also be sent as an argument.
func arg(n int) string { return fmt.Sprintf("@%d@", n) }
