package attack

// sqlApplies leaves out values that cannot be SQL injection: without a blank, a
// quote, a bracket or a mark of operation there is no second token.
func sqlApplies(c class) bool {
	return c&(blank|quote|paren|star|hash|semicolon|bar|control) != 0 || c&dash != 0 && c&digit != 0
}

// matchSQL reports whether value is SQL injection.
func matchSQL(value []byte) (at int, ok bool) {
	_, ok = sqlFingerprint(value)
	return 0, ok
}
