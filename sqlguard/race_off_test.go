//go:build !race

package sqlguard_test

const racing = false
