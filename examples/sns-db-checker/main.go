// Command sns-db-checker is a Lambda function to protect and to attack: it reads
// the name of an article from an SNS message and looks it up in a database. It is
// vulnerable on purpose; see README.md.
package main

import (
	"cmp"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"gatehouse/examples/sns-db-checker/checker"
)

func main() {
	log.SetFlags(0)
	c, err := checker.Open(cmp.Or(os.Getenv("DB_PATH"), "/tmp/sns-db-checker.db"))
	if err != nil {
		log.Fatal(err)
	}
	c.Rates = cmp.Or(os.Getenv("RATES_URL"), "https://www.some.test/rates")
	lambda.Start(c.Handle)
}
