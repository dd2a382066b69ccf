package runtimeapi

// Amend is amend, for a fuzz test.
var Amend = amend
