package policy

import (
	"slices"
	"testing"
)

// The lists are in order, which the search needs, and hold names that can be asked for.
func TestBuiltinLists(t *testing.T) {
	all := map[string]bool{}
	for _, list := range [][]string{requestBins[:], outOfBand[:], chats[:], tunnels[:], drops[:], resolvers[:]} {
		if !slices.IsSorted(list) {
			t.Errorf("%q… is out of order", list[0])
		}
		for _, host := range list {
			h, err := parseHost(host)
			if address := h.net.IsSingleIP() && h.net.Addr().String() == host; err != nil || h.exact != host && !address {
				t.Errorf("%q: %v", host, err)
			}
			if all[host] {
				t.Errorf("%q is there twice", host)
			}
			all[host] = true
		}
	}
}

func TestExfiltration(t *testing.T) {
	for host, want := range map[string]Tier{
		"webhook.site": TierOne, "a.b.oastify.com": TierOne, "WEBHOOK.SITE.": TierOne, "eo1a.m.pipedream.net": TierOne,
		"discord.com": TierTwo, "api.telegram.org": TierTwo, "x.trycloudflare.com": TierTwo, "abc.raw.icp0.io": TierTwo,
		"dns.google": TierTwo, "filev2.getsession.org": TierTwo, "1-2-3-4.plesk.page": TierTwo, "pastebin.com": TierTwo,
		"notwebhook.site": TierNone, "webhook.site.example": TierNone, "telegram.org": TierNone, "google": TierNone,
		"slack.com": TierNone, "api.stripe.com": TierNone, "": TierNone, ".": TierNone, "192.0.2.1": TierNone,
		"1.1.1.1": TierTwo, "::ffff:8.8.8.8": TierTwo, "[2606:4700:4700:0::1111]": TierTwo, "1.1.1.2": TierNone, "1.1.1.1.example": TierNone,
	} {
		if got, _ := Exfiltration(host); got != want {
			t.Errorf("Exfiltration(%q) = %v, want %v", host, got, want)
		}
	}
}
