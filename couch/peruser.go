package couch

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
)

// perUser is the part of the server's configuration that gives each document
// of _users a database of its own.
type perUser struct {
	Enable    string `json:"enable"`
	DeleteDBs string `json:"delete_dbs"`
	Prefix    string `json:"database_prefix"`
	note      string
}

// perUser asks the server once in a reading. A server that does not say is
// taken to have it on.
func (r *reading) perUser() perUser {
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

// writeUser: couch_peruser creates a database for each user, and drops it with
// the user if delete_dbs is on.
func (r *reading) writeUser(e entry) {
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
