package property

import (
	"testing"

	"github.com/dbguard/dbguard-go/internal/conformance/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }
