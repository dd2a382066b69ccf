package policy

import (
	"slices"
	"strings"
)

// Built-in lists of hosts that data is carried off to. They are ours, after what
// public lists and reports of incidents name. An entry stands for the host and all
// below it. Each list is in order.
//
// Tier 1 has no other use than to show somebody what arrived: refused in enforce mode
// unless the policy allows it. Tier 2 has honest uses, too: a finding, and refused
// while the function initializes, when honest functions talk to almost nobody.

// requestBins show whoever made them the requests that arrive.
var requestBins = [...]string{
	"beeceptor.com", "dnshook.site", "emailhook.site", "hookb.in", "hookbin.com", "httpdump.app", "mockbin.org", "pipedream.net", "postb.in",
	"posthook.net", "ptsv2.com", "ptsv3.com", "putsreq.com", "requestb.in", "requestbin.com",
	"requestbin.io", "requestbin.net", "requestcatcher.com", "requestinspector.com", "typedwebhook.tools", "webhook-test.com",
	"webhook.cool", "webhook.site", "webhookapp.com"}

// outOfBand are the servers of penetration tests, which tell of each look-up and
// request.
var outOfBand = [...]string{
	"burpcollaborator.net", "bxss.me", "ceye.io", "dnslog.cn", "dnslog.link", "eyes.sh", "interact.sh",
	"interactsh.com", "oast.fun", "oast.live", "oast.me", "oast.online", "oast.pro", "oast.site", "oastify.com",
	"r87.me", "requestrepo.com", "xss.ht", "xss.report", "xsshunter.com",
}

// chats take what is sent to a webhook or a bot.
var chats = [...]string{
	"api.telegram.org", "canary.discord.com", "discord.com", "discordapp.com", "hooks.slack.com", "ptb.discord.com",
}

// tunnels lead to somebody's own machine.
var tunnels = [...]string{
	"bore.pub", "cfargotunnel.com", "lhr.life", "lhrtunnel.link", "loca.lt", "localhost.run", "localtonet.com",
	"localtunnel.me", "localxpose.io", "ngrok-free.app", "ngrok-free.dev", "ngrok.app", "ngrok.dev", "ngrok.io", "ngrok.pro",
	"pagekite.me", "pinggy.io", "pinggy.link", "playit.gg", "ply.gg", "portmap.io", "serveo.net", "serveousercontent.com",
	"telebit.io", "trycloudflare.com", "tunnelto.dev",
}

// drops keep what is pasted or uploaded, for whoever knows where.
var drops = [...]string{
	"0x0.st", "anonfiles.com", "bashupload.com", "catbox.moe", "controlc.com", "dpaste.com", "dpaste.org", "envs.sh",
	"file.io", "filebin.net", "filetransfer.io", "getsession.org", "ghostbin.com", "gofile.io", "hastebin.com", "icp0.io",
	"ix.io", "justpaste.it", "litterbox.catbox.moe", "paste.ee", "paste.rs", "pastebin.com", "pastecode.io", "pasteio.com",
	"pixeldrain.com", "plesk.page", "rentry.co", "rentry.org", "sprunge.us", "temp.sh", "termbin.com", "tmpfiles.org",
	"transfer.sh", "uguu.se", "wormhole.app", "x0.at",
}

// resolvers answer DNS over HTTPS, around whoever watches names: by name, and by the
// addresses that clients ask first, since they know no name yet.
var resolvers = [...]string{
	"1.0.0.1", "1.1.1.1", "149.112.112.112", "1dot1dot1dot1.cloudflare-dns.com", "2001:4860:4860::8844", "2001:4860:4860::8888", "2606:4700:4700::1001", "2606:4700:4700::1111",
	"2620:fe::9", "2620:fe::fe", "8.8.4.4", "8.8.8.8", "9.9.9.9", "94.140.14.14", "94.140.15.15", "chrome.cloudflare-dns.com", "cloudflare-dns.com", "dns.adguard-dns.com",
	"dns.adguard.com", "dns.alidns.com", "dns.google", "dns.nextdns.io", "dns.quad9.net", "doh.cleanbrowsing.org",
	"doh.dns.sb", "doh.opendns.com", "doh.pub", "mozilla.cloudflare-dns.com", "one.one.one.one",
}

// Tier is how much a built-in list holds against a host.
type Tier uint8

// The tiers.
const (
	TierNone Tier = iota
	TierOne       // no honest use
	TierTwo       // honest uses, too
)

// ListAnswer is what becomes of a host that a built-in list has and no rule names.
type ListAnswer string

// The answers. Where tier 2 is only monitored, it is refused in the init phase.
const (
	ListAllow   ListAnswer = "allow"
	ListMonitor ListAnswer = "monitor"
	ListRefuse  ListAnswer = "refuse"
)

var builtinLists = [...]struct {
	tier Tier
	what string
	list []string
}{
	{TierOne, "request bin", requestBins[:]}, {TierOne, "out-of-band test host", outOfBand[:]},
	{TierTwo, "chat webhook", chats[:]}, {TierTwo, "tunnel", tunnels[:]}, {TierTwo, "paste or file drop", drops[:]},
	{TierTwo, "DNS over HTTPS", resolvers[:]},
}

// listedBelow reports whether a name that ends in suffix, ".example", may be on a list.
func listedBelow(suffix string) bool {
	if tier, _ := Exfiltration(suffix[1:]); tier != TierNone {
		return true
	}
	for _, l := range builtinLists {
		if slices.ContainsFunc(l.list, func(entry string) bool { return strings.HasSuffix("."+entry, suffix) }) {
			return true
		}
	}
	return false
}

// Exfiltration returns the tier of the built-in list that has host, and what its
// hosts are.
func Exfiltration(host string) (Tier, string) {
	n := nameOf(host)
	name := n.text
	if n.addr.IsValid() {
		name = n.addr.String()
	}
	for _, l := range builtinLists {
		if inList(l.list, name) {
			return l.tier, l.what
		}
	}
	return TierNone, ""
}

// listed judges a host that no rule names by the built-in lists.
func (p *Policy) listed(d Decision, host, phase string) Decision {
	tier, what := Exfiltration(host)
	answer := p.TierTwo
	switch tier {
	case TierNone:
		return d
	case TierOne:
		answer, d.Listed = p.TierOne, "egress.exfiltration-host"
	case TierTwo:
		d.Listed = "egress.drop-host"
		if phase == "init" && answer == ListMonitor {
			answer, what = ListRefuse, what+", while the function initializes"
		}
	}
	switch answer {
	case ListAllow:
		d.Listed = ""
	case ListRefuse:
		d.Allow, d.Undecided, d.Rule, d.Reason = false, d.hoped, d.Listed, what
	}
	d.ListReason = what
	return d
}

// inList reports whether list has name or a host that name lies below.
func inList(list []string, name string) bool {
	for {
		if _, found := slices.BinarySearch(list, name); found {
			return true
		}
		_, rest, more := strings.Cut(name, ".")
		if !more {
			return false
		}
		name = rest
	}
}
