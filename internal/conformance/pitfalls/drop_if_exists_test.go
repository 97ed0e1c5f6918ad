package pitfalls

import (
	"testing"

	"github.com/dbguard/dbguard-go/internal/conformance/stage"
	"github.com/dbguard/dbguard-go/internal/conformance/target"
)

// An ALTER TABLE that drops something missing loses nothing.
func TestDroppingNothingNeedsNoGrant(t *testing.T) {
	stage.Each(t, func(t *testing.T, s *stage.Stage) {
		if s.Engine == target.SQLite {
			return // which has no IF EXISTS there
		}
		conn := s.Conn(t)
		defer conn.Close()
		for _, text := range []string{
			"ALTER TABLE item DROP COLUMN IF EXISTS nix", "ALTER TABLE item DROP IF EXISTS nix, DROP CONSTRAINT IF EXISTS nix",
		} {
			run(t, conn, text)
		}
		for _, text := range []string{
			"ALTER TABLE item DROP COLUMN IF EXISTS v", "ALTER TABLE item DROP COLUMN IF EXISTS nix, DROP COLUMN v", "ALTER TABLE item DROP COLUMN nix",
		} {
			refused(t, conn, text)
		}
	})
}
