module gatehouse/bench

go 1.26.0

require gatehouse v0.0.0

require (
	github.com/oklog/ulid/v2 v2.1.2 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
)

replace gatehouse => ../
