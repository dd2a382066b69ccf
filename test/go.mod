module gatehouse/test

go 1.26.0

require (
	gatehouse v0.0.0
	github.com/andybalholm/brotli v1.3.0
	github.com/klauspost/compress v1.20.4
	golang.org/x/net v0.62.0
)

require golang.org/x/text v0.43.0 // indirect

replace gatehouse => ../
