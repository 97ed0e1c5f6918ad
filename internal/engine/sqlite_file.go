package engine

import (
	"net/url"
	"os"
	"strings"
)

// SQLiteURI splits a URI into the name without "file:", and the parameters; the
// fragment is dropped (sqlite.org/uri.html). Any other name is returned as it is,
// with uri false.
func SQLiteURI(text string) (name, query string, uri bool) {
	rest, uri := strings.CutPrefix(text, "file:")
	if !uri {
		return text, "", false
	}
	rest, _, _ = strings.Cut(rest, "#")
	name, query, _ = strings.Cut(rest, "?")
	return name, query, true
}

// SQLitePath is the path of the file that SQLite opens by a name, and creates if it
// does not exist. It is empty where none would be created: in memory, a temporary
// one, read only, or in another virtual file system.
func SQLitePath(name, query string, uri bool) string {
	if vfs := uriParam(query, "vfs"); vfs != "" && !strings.HasPrefix(vfs, "unix") && !strings.HasPrefix(vfs, "win32") {
		return ""
	}
	path := name
	if uri {
		switch uriParam(query, "mode") {
		case "memory", "ro", "rw":
			return ""
		}
		path = uriPath(name)
	}
	if path == ":memory:" {
		return ""
	}
	return path
}

// opensExisting reports that ATTACH of this file creates none: it exists, or is in
// memory or a temporary file of SQLite's own.
func opensExisting(file string) bool {
	path := SQLitePath(SQLiteURI(file))
	if path == "" {
		return true
	}
	_, err := os.Stat(path)
	return err == nil
}

// uriPath is the file system path of a URI: //authority/path, %XX.
func uriPath(name string) string {
	path := name
	if after, ok := strings.CutPrefix(path, "//"); ok {
		_, rest, _ := strings.Cut(after, "/") // SQLite accepts only an empty authority and localhost
		path = "/" + rest
	}
	return uriText(path)
}

// uriText decodes a part of a URI as SQLite does: it ends at a %00.
func uriText(s string) string {
	s, _, _ = strings.Cut(s, "%00")
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}

// uriParam is the value of the last parameter of that name.
func uriParam(query, key string) (value string) {
	for _, pair := range strings.Split(query, "&") {
		if name, v, ok := strings.Cut(pair, "="); ok && uriText(name) == key {
			value = uriText(v)
		}
	}
	return value
}
