package corpus

import (
	"fmt"
	"strings"
)

// HostClass is a kind of host that things are sent to.
type HostClass struct {
	ID, Name string
	// Pattern makes the name of a row's host: %[1]d is the row, %[2]s its address,
	// and the other verbs write that address in another way.
	Pattern string
	// Literal is set where the host is an address: none is looked up.
	Literal bool
	// Refused is set where the host itself is reason enough, Tier2 where it is while the
	// function initializes.
	Refused, Tier2 bool
}

// HostClasses are all of them. The names are those of services that exist; nothing is
// sent there: the test plays them all.
var HostClasses = []HostClass{
	{ID: "H1", Name: "", Pattern: "row%[1]d.test"},
	{ID: "H2", Name: "lookalike", Pattern: "row%[1]d.aquasecurtiy.org"},
	{ID: "H2", Name: "brand lookalike", Pattern: "row%[1]d.aquasecurity.cloud"},
	{ID: "H3", Name: "app platform", Pattern: "row%[1]d.herokuapp.com"},
	{ID: "H3", Name: "tunnel", Pattern: "row%[1]d.trycloudflare.com", Tier2: true},
	{ID: "H4", Name: "request bin", Pattern: "row%[1]d.oast.fun", Refused: true},
	{ID: "H4", Name: "webhook.site", Pattern: "row%[1]d.webhook.site", Refused: true},
	{ID: "H5", Name: "drop", Pattern: "row%[1]d.transfer.sh", Tier2: true},
	{ID: "H6", Name: "chat", Pattern: "row%[1]d.discord.com", Tier2: true},
	{ID: "H9", Name: "own bucket", Pattern: "row%[1]d-own.s3.us-east-1.amazonaws.com"},
	{ID: "H10", Name: "foreign bucket", Pattern: "row%[1]d-loot.s3.us-east-1.amazonaws.com"},
	{ID: "H10", Name: "foreign bucket, old form", Pattern: "row%[1]d-loot.s3.amazonaws.com"},
	{ID: "H12", Name: "instance", Pattern: "ec2-row%[1]d.compute-1.amazonaws.com"},
	{ID: "H12", Name: "load balancer", Pattern: "row%[1]d.us-east-1.elb.amazonaws.com"},
	{ID: "H12", Name: "API", Pattern: "row%[1]dabc.execute-api.us-east-1.amazonaws.com"},
	{ID: "H12", Name: "function URL", Pattern: "row%[1]dabcdefghijklmnopqrstuvwxyz.lambda-url.us-east-1.on.aws"},
	{ID: "H13", Name: "statistics", Pattern: "row%[1]d.statcounter.com"},
	{ID: "H15", Name: "address", Pattern: "%[2]s", Literal: true, Refused: true},
	{ID: "H15", Name: "decimal address", Pattern: "%[3]d", Literal: true, Refused: true},
	{ID: "H15", Name: "hexadecimal address", Pattern: "0x%[3]x", Literal: true, Refused: true},
	{ID: "H15", Name: "octal address", Pattern: "0%[4]o.0%[5]o.%[6]d.%[7]d", Literal: true, Refused: true},
	{ID: "H15", Name: "short address", Pattern: "%[4]d.%[8]d", Literal: true, Refused: true},
	{ID: "H15", Name: "mapped address", Pattern: "::ffff:%[2]s", Literal: true, Refused: true},
	{ID: "H15", Name: "NAT64 address", Pattern: "64:ff9b::%[2]s", Literal: true, Refused: true},
	{ID: "H15", Name: "6to4 address", Pattern: "2002:%02[4]x%02[5]x:%02[6]x%02[7]x::1", Literal: true, Refused: true},
	{ID: "H17", Name: "punycode", Pattern: "row%[1]d.xn--80ak6aa92e.example"},
	{ID: "H19", Name: "DNS over HTTPS", Pattern: "row%[1]d.dns.google", Tier2: true},
}

// HostClassOf returns the class with that name.
func HostClassOf(name string) *HostClass {
	for i := range HostClasses {
		if HostClasses[i].Name == name {
			return &HostClasses[i]
		}
	}
	panic("no host " + name)
}

// Octets are the address of a row's host: everybody's own, on loopback.
func Octets(row int) [4]byte { return [4]byte{127, 77, byte(row / 250), byte(row%250 + 1)} }

// HostOf is the host that row sends to.
func (r *Row) HostOf(row int) string {
	a := Octets(row)
	dotted := fmt.Sprintf("%d.%d.%d.%d", a[0], a[1], a[2], a[3])
	n := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	name := fmt.Sprintf(HostClassOf(r.Host).Pattern, row, dotted, n, a[0], a[1], a[2], a[3], n&0xffffff)
	name, _, _ = strings.Cut(name, "%!(EXTRA") // verbs that the pattern has no use for
	return name
}

// Names are all names that row asks for, but those with the secret in them.
func (r *Row) Names(row int) (names []string) {
	if HostClassOf(r.Host).Literal {
		return nil
	}
	names = append(names, r.HostOf(row))
	switch r.Over {
	case "subdomains":
		for n := range maxHosts {
			names = append(names, fmt.Sprintf("p%d.%s", n, r.HostOf(row)))
		}
	case "domains":
		for n := range maxHosts {
			names = append(names, fmt.Sprintf("row%d.drop%d.test", row, n))
		}
	}
	return names
}

// maxHosts is over how many hosts a secret is spread.
const maxHosts = 8

// hostFor is the host that part n goes to.
func (r *Row) hostFor(row, n int) string {
	if r.Over == "subdomains" || r.Over == "domains" {
		return r.Names(row)[1+n%maxHosts]
	}
	return r.HostOf(row)
}
