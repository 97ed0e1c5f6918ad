package couchmodel

import (
	"net/http"
	"strings"
)

// answer is what is answered for a path inside a database.
func (f *file) answer(req *http.Request, path []string, body map[string]any) answer {
	switch id := strings.Join(path, "/"); {
	case id == "_all_docs":
		return f.allDocs()
	case id == "_bulk_docs" && req.Method == http.MethodPost:
		return f.bulk(body)
	case id == "_purge" && req.Method == http.MethodPost:
		return f.purge(body)
	case id[0] == '_' && !strings.HasPrefix(id, "_design/") && !strings.HasPrefix(id, "_local/"):
		return noDocument
	default:
		return f.document(req, id, body)
	}
}

func (f *file) document(req *http.Request, id string, body map[string]any) answer {
	d := f.docs[id]
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		if d == nil || d.deleted {
			return noDocument
		}
		return answer{status: http.StatusOK, rev: d.rev, body: d.document(id)}
	case http.MethodPut:
		if rev := req.URL.Query().Get("rev"); rev != "" && body != nil {
			body["_rev"] = rev
		}
		return f.store(id, body)
	case http.MethodDelete:
		if d == nil {
			return noDocument
		}
		return f.store(id, map[string]any{"_rev": req.URL.Query().Get("rev"), "_deleted": true})
	}
	return notAllowed
}

func (d *doc) document(id string) map[string]any {
	out := map[string]any{}
	for key, value := range d.body {
		out[key] = value
	}
	out["_id"], out["_rev"] = id, d.rev
	return out
}

// store stores one document, whose _rev and _deleted are in its body.
func (f *file) store(id string, body map[string]any) answer {
	if body == nil {
		return badRequest
	}
	if id == "" {
		id = digest(len(f.docs))
	}
	rev, _ := body["_rev"].(string)
	deleted, _ := body["_deleted"].(bool)
	newRev, stored := f.put(id, rev, deleted, body)
	if !stored {
		return conflict
	}
	return answer{status: http.StatusCreated, rev: newRev, body: map[string]any{"ok": true, "id": id, "rev": newRev}}
}

// bulk answers each document by itself. A deletion of what is not there is
// answered like any other, and with new_edits=false nothing is answered at all.
func (f *file) bulk(body map[string]any) answer {
	docs, _ := body["docs"].([]any)
	results := []any{}
	for _, entry := range docs {
		fields, isDoc := entry.(map[string]any)
		if !isDoc {
			return badRequest
		}
		id, _ := fields["_id"].(string)
		if asIs, said := body["new_edits"].(bool); said && !asIs {
			rev, _ := fields["_rev"].(string)
			deleted, _ := fields["_deleted"].(bool)
			f.docs[id] = &doc{rev: rev, deleted: deleted, body: fields}
			continue
		}
		a := f.store(id, fields)
		result, isResult := a.body.(map[string]any)
		if !isResult {
			result = map[string]any{"id": id, "error": "conflict", "reason": "Document update conflict."}
		}
		results = append(results, result)
	}
	return answer{status: http.StatusCreated, body: results}
}

func (f *file) purge(body map[string]any) answer {
	purged := map[string]any{}
	for id, revs := range body {
		delete(f.docs, id)
		purged[id] = revs
	}
	return answer{status: http.StatusCreated, body: map[string]any{"purge_seq": nil, "purged": purged}}
}

func (f *file) allDocs() answer {
	rows := []any{}
	for _, id := range f.ids() {
		rows = append(rows, map[string]any{"id": id, "key": id, "value": map[string]string{"rev": f.docs[id].rev}})
	}
	return answer{status: http.StatusOK, body: map[string]any{"total_rows": len(rows), "offset": 0, "rows": rows}}
}
