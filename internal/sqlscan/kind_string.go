package sqlscan

var kindNames = [...]string{
	Unreadable: "Unreadable", Read: "Read", Insert: "Insert", Upsert: "Upsert", Replace: "Replace",
	Update: "Update", Delete: "Delete", Merge: "Merge", Truncate: "Truncate", Define: "Define",
	CreateDatabase: "CreateDatabase", Drop: "Drop", DropDatabase: "DropDatabase", Alter: "Alter",
	Session: "Session", GuardOff: "GuardOff", Maintain: "Maintain", Prepare: "Prepare", Opaque: "Opaque",
	Begin: "Begin", Commit: "Commit", Rollback: "Rollback", Savepoint: "Savepoint", Release: "Release",
	RollbackTo: "RollbackTo",
}

// String is the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}
