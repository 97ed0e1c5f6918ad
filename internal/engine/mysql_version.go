package engine

import (
	"fmt"
	"slices"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// lookalikes are what other servers, which read comments in their own way, have in their
// version.
var lookalikes = []string{"mariadb", "tidb", "vitess", "planetscale", "oceanbase", "starrocks", "doris", "singlestore", "polardb", "dolt"}

// versionMode says how a server of this version reads executable comments.
func versionMode(version string) sqlscan.Mode {
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 || err != nil {
		return 0
	}
	switch alike := slices.ContainsFunc(lookalikes, func(name string) bool { return containsFold(version, name) }); {
	case alike || major < 8:
		return 0
	case major > 8 || minor >= 4:
		return sqlscan.MySQL80 | sqlscan.MySQL84
	}
	return sqlscan.MySQL80
}
