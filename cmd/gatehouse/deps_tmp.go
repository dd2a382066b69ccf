package main

import (
	_ "github.com/aws/aws-lambda-go/lambda"
	_ "github.com/corazawaf/libinjection-go"
	_ "github.com/elazarl/goproxy"
	_ "github.com/oklog/ulid/v2"
	_ "github.com/spf13/cobra"
	_ "go.uber.org/zap"
	_ "go.yaml.in/yaml/v4"
	_ "golang.org/x/net/http2"
	_ "golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)

func main() {}
