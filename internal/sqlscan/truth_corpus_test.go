package sqlscan

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// constantWhere is a condition and what a server made of it.
type constantWhere struct {
	Where      string `json:"where"`
	AlwaysTrue bool   `json:"always_true"`
}

// readConstants reads one file of the shared corpus, or skips the test.
func readConstants(t *testing.T, name string) []constantWhere {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "corpus", "classify", name)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the corpus is not here:", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []constantWhere
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row constantWhere
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestAlwaysTrueCorpus holds the claims to what the servers evaluated: none
// may be wrong, and nearly all that are true must be seen.
func TestAlwaysTrueCorpus(t *testing.T) {
	for _, corpus := range []struct {
		file    string
		dialect Dialect
		recall  float64
	}{
		{"constwhere_pg.jsonl", PostgreSQL, 0.95},
		{"constwhere_mysql.jsonl", MySQL, 0.95},
		{"constwhere_sqlite.jsonl", SQLite, 0.95},
		{"constwhere_ch.jsonl", ClickHouse, 0.95},
	} {
		t.Run(corpus.dialect.String(), func(t *testing.T) {
			truths, seen := 0, 0
			for _, row := range readConstants(t, corpus.file) {
				claim := alwaysTrue(row.Where, corpus.dialect, corpus.dialect.DefaultMode(), Span{0, int32(len(row.Where))})
				switch {
				case claim && !row.AlwaysTrue:
					t.Errorf("claimed to be always true and is not: %s", row.Where)
				case claim:
					seen++
				case row.AlwaysTrue && testing.Verbose():
					t.Logf("not seen: %q", row.Where)
				}
				if row.AlwaysTrue {
					truths++
				}
			}
			recall := float64(seen) / float64(truths)
			t.Logf("%d of %d conditions that are always true were seen (%.1f %%)", seen, truths, 100*recall)
			if recall < corpus.recall {
				t.Errorf("recall %.3f, want at least %.3f", recall, corpus.recall)
			}
		})
	}
}
