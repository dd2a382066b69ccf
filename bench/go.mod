module gatehouse/bench

go 1.26.0

require gatehouse v0.0.0

require (
	github.com/corazawaf/libinjection-go v0.3.5 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
)

replace gatehouse => ../
