package policy

import (
	"errors"
	"strings"
)

// tenant is one customer of a service that many share: a bucket, an owner of
// repositories, a workspace, a webhook.
type tenant struct {
	service string // one of tenantServices; "" for none
	id      string // lower case; with prefix, how it begins
	prefix  bool   // written with * at its end
}

// tenantServices are the services whose tenants a policy can name, and what is wanted
// behind the colon or the slash.
var tenantServices = [...]struct{ written, service, wants string }{
	{"aws:s3/", "s3", "wants aws:s3/BUCKET, or aws:s3/BEGINNING*"},
	{"aws:s3:", "s3account", "wants aws:s3:ACCOUNT, an account's 12 digits"},
	{"github:", "github", "wants github:OWNER"},
	{"slack:", "slack", "wants slack:TEAM, or slack:TEAM/BOT, as they stand in a webhook's path: slack:T0123/B4567"},
	{"discord:", "discord", "wants discord:WEBHOOK, the webhook's number"},
}

// parseTenant reads a pattern of a tenant; ok is whether s is one at all.
func parseTenant(s string) (t tenant, ok bool, err error) {
	for _, known := range tenantServices {
		id, fits := strings.CutPrefix(s, known.written)
		if !fits {
			continue
		}
		t = tenant{service: known.service}
		t.id, t.prefix = strings.CutSuffix(id, "*")
		if t.id == "" || strings.Trim(t.id, "abcdefghijklmnopqrstuvwxyz0123456789-_./") != "" || strings.Contains(t.id, "/") && t.service != "slack" {
			return t, true, errors.New(known.wants)
		}
		if t.service == "s3account" && (t.prefix || !isAccount(t.id)) {
			return t, true, errors.New(known.wants)
		}
		return t, true, nil
	}
	return tenant{}, false, nil
}

// judge says whether a request to host with one reading of its path is for t. Where the
// host alone says so, an unseen path is no matter.
func (t tenant) judge(host, path, region string, visible bool) outcome {
	id, shared := t.of(host, path, region, visible)
	switch {
	case !shared:
		return no
	case id == "" && !visible:
		return unverifiable
	case id == "":
		return no
	}
	id = strings.ToLower(id)
	if t.service == "slack" && !strings.Contains(t.id, "/") && !t.prefix {
		id, _, _ = strings.Cut(id, "/")
	}
	if id == t.id || t.prefix && strings.HasPrefix(id, t.id) {
		return yes
	}
	return no
}

// of returns the tenant that a request is for, and whether host is of t's service.
func (t tenant) of(host, path, region string, visible bool) (id string, shared bool) {
	switch t.service {
	case "s3":
		if !visible {
			path = ""
		}
		return S3Bucket(host, path, region)
	case "s3account":
		return accessPointOwner(host, region)
	}
	name := tenantOf(t.service, host)
	switch {
	case name == nil:
		return "", false
	case !visible:
		return "", true
	}
	return name(strings.Split(strings.TrimPrefix(path, "/"), "/")), true
}

// tenantOf returns how the paths of a service's host name a tenant; nil where host is
// none of its.
func tenantOf(service, host string) func(segments []string) string {
	switch service + " " + host {
	case "github github.com", "github raw.githubusercontent.com", "github codeload.github.com", "github media.githubusercontent.com":
		return first
	case "github api.github.com", "github uploads.github.com":
		return owner
	case "slack hooks.slack.com":
		return workspace
	case "discord discord.com", "discord discordapp.com", "discord ptb.discord.com", "discord canary.discord.com":
		return webhook
	}
	return nil
}

func first(s []string) string { return s[0] }

// owner returns the segment behind repos, orgs or users.
func owner(s []string) string {
	if len(s) > 1 && (s[0] == "repos" || s[0] == "orgs" || s[0] == "users") {
		return s[1]
	}
	return ""
}

// workspace returns TEAM/BOT of services/TEAM/BOT/….
func workspace(s []string) string {
	if len(s) < 3 {
		return ""
	}
	return s[1] + "/" + s[2]
}

// webhook returns the number in api[/v10]/webhooks/NUMBER/….
func webhook(s []string) string {
	for i := 1; i+1 < len(s) && i < 3; i++ {
		if s[0] == "api" && s[i] == "webhooks" {
			return s[i+1]
		}
	}
	return ""
}
