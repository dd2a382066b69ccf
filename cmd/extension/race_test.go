//go:build race

package main

// raceFlag builds the programs under test as the test itself was built.
const raceFlag = "-race"
