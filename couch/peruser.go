package couch

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// perUser is the server's couch_peruser configuration, which gives each document of
// _users a database of its own.
type perUser struct {
	Enable    string `json:"enable"`
	DeleteDBs string `json:"delete_dbs"`
	Prefix    string `json:"database_prefix"`
	note      string
}

// perUser queries the server, once per request. If the server does not say, it is
// assumed to be on.
func (r *analysis) perUser() perUser {
	if r.peruser != nil {
		return *r.peruser
	}
	p := perUser{Enable: "true", DeleteDBs: "true", note: "couch_peruser may be on: its configuration cannot be read"}
	status, body, err := r.node.get("/_node/_local/_config/couch_peruser")
	switch {
	case err == nil && status == http.StatusOK:
		told := perUser{note: "couch_peruser is on"}
		if json.Unmarshal(body, &told) == nil {
			p = told
		}
	case err == nil && status == http.StatusNotFound:
		p = perUser{} // an unknown section
	}
	if p.Prefix == "" {
		p.Prefix = "userdb-"
	}
	r.peruser = &p
	return p
}

// writeUser: couch_peruser creates a database for each user, and drops it with the
// user if delete_dbs is on.
func (r *analysis) writeUser(e entry) {
	name, ok := strings.CutPrefix(e.id, "org.couchdb.user:")
	if !ok {
		return
	}
	p := r.perUser()
	if p.Enable != "true" {
		return
	}
	db := p.Prefix + hex.EncodeToString([]byte(name))
	switch {
	case !e.deleted:
		r.create(db, p.note)
	case p.DeleteDBs == "true":
		r.act(dbguard.RemoveDatabase, db, p.note)
	}
}
