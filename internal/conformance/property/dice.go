package property

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// dice are all the chance there is in a case: the seed decides them.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))} }

// in is true in n cases of a hundred.
func (d dice) in(n int) bool { return d.IntN(100) < n }

// between is a number from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

func pick[T any](d dice, of []T) T { return of[d.IntN(len(of))] }

// word picks one of several words, given as one text.
func (d dice) word(words string) string { return pick(d, strings.Fields(words)) }

// arg is a number in a statement that may also be sent as an argument.
func arg(n int) string { return fmt.Sprintf("@%d@", n) }
