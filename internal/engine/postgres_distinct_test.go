package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMayRollBackPart(t *testing.T) {
	for text, want := range map[string]bool{
		"INSERT INTO t VALUES (1), (2)":                                 false,
		"DO $$ BEGIN INSERT INTO t VALUES (1); END $$":                  false,
		"SELECT fill('a\nb')":                                           false,
		"DO $$ BEGIN NULL; Exception WHEN OTHERS THEN NULL; END $$":     true,
		`DO E'BEGIN NULL; EX\103EPTION WHEN OTHERS THEN NULL; END'`:     true,
		"DO 'BEGIN NULL; EXCE'\n'PTION WHEN OTHERS THEN NULL; END'":     true,
		"DO LANGUAGE plpython3u $$ with plpy.subtransaction(): pass $$": true,
		"DO $$ with plpy.subtransaction(): pass $$ language plpython3u": true,
		"EXECUTE fill": true,
	} {
		assert.Equal(t, want, mayRollBackPart(text), text)
	}
}
