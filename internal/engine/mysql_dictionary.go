package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// InnoDB's dictionary, as information_schema shows it to accounts with PROCESS. MariaDB's has
// the foreign keys as they are; MySQL's, those of the transaction's snapshot.

// innodbForeign is the view of foreign keys. That of their columns is named after it.
func (m *mysql) innodbForeign() string {
	if m.system() == "mariadb" {
		return "information_schema.INNODB_SYS_FOREIGN"
	}
	return "information_schema.INNODB_FOREIGN"
}

// referencesAny matches foreign keys that reference one of the tables.
func (m *mysql) referencesAny(tables []mysqlTable) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		if m.system() == "mariadb" {
			names[i] = "CONVERT(CONCAT(" + dictionaryName(t.schema) + ", 0x2F, " + dictionaryName(t.name) + ") USING utf8mb3)"
			continue
		}
		names[i] = nameLiteral(t.schema + "/" + t.name)
	}
	return "REF_NAME IN (" + strings.Join(names, ", ") + ")"
}

// nameLiteral is a name as a literal, which unlike the result of a function takes the collation
// of the column that it is compared with: lower_case_table_names decides that.
func nameLiteral(name string) string {
	if strings.Contains(name, `\`) {
		return fmt.Sprintf("_utf8mb3 x'%x'", name)
	}
	return quoteString(sqlscan.MySQL, name)
}

// splitName is the schema and the name in a column of the dictionary. On MySQL both may hold
// slashes, see unsplit.
func (m *mysql) splitName(column string) string {
	if m.system() == "mariadb" {
		return decodeDictionaryName("SUBSTRING_INDEX("+column+", '/', 1)") + ", " + decodeDictionaryName("SUBSTRING_INDEX("+column+", '/', -1)")
	}
	return "SUBSTRING_INDEX(" + column + ", '/', 1), SUBSTRING(" + column + ", LOCATE('/', " + column + ") + 1)"
}

// unsplit gives those of the known tables their names back whose schema holds a slash. Any
// other such name is split wrongly, but the same wherever it occurs.
func (t mysqlTable) unsplit(known []mysqlTable) mysqlTable {
	for _, is := range known {
		if is.schema+"/"+is.name == t.schema+"/"+t.name {
			return is
		}
	}
	return t
}

// dictionaryName is a name as MariaDB's dictionary encodes it, as arguments of CONCAT. MySQL's
// encodes nothing.
func dictionaryName(name string) string {
	file := "CAST(CONVERT(" + quoteString(sqlscan.MySQL, name) + " USING filename) AS BINARY)"
	if isDeviceName(name) {
		file += ", " + deviceSuffix
	}
	return file
}

// deviceSuffix is @@@, which the server appends to file names that an operating
// system takes for devices (check_if_legal_tablename in its source).
const deviceSuffix = "0x404040" // hexadecimal: character_set_connection may encode a letter in two bytes

func isDeviceName(name string) bool {
	switch name = strings.ToUpper(name); name {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(name) == 4 && (name[:3] == "COM" || name[:3] == "LPT") && name[3] >= '1' && name[3] <= '9'
}

// decodeDictionaryName reverses dictionaryName for one part of a name.
func decodeDictionaryName(expr string) string {
	return "CONVERT(CONVERT(TRIM(TRAILING " + deviceSuffix + " FROM CAST(" + expr + " AS BINARY)) USING filename) USING utf8mb4)"
}

// cascadeCounting says whether the session's counters include what foreign keys change.
type cascadeCounting uint8

const (
	cascadesNotAsked cascadeCounting = iota
	cascadesCounted
	cascadesUncounted
)

// countsCascades asks whether the server, and not InnoDB, follows foreign keys: since
// MySQL 9.6, unless it was started with innodb_native_foreign_keys. Its counters then
// include the rows that foreign keys change.
func (m *mysql) countsCascades(ctx context.Context) (bool, error) {
	if m.cascades == cascadesNotAsked && m.system() == "mariadb" {
		m.cascades = cascadesUncounted
	}
	if m.cascades != cascadesNotAsked {
		return m.cascades == cascadesCounted, nil
	}
	native, err := askInts(ctx, m.conn, "SELECT @@innodb_native_foreign_keys + 0")
	switch {
	case err == nil && native[0] == 0:
		m.cascades = cascadesCounted
	case err == nil || mysqlError(err, "1193"): // an unknown variable
		m.cascades = cascadesUncounted
	default:
		return false, err
	}
	return m.cascades == cascadesCounted, nil
}
