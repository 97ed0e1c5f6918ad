module github.com/dbguard/dbguard-go

go 1.26.0
