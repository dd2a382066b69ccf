package hec

import (
	"net/http"
	"time"
)

// Bounds of a jar: the cookies of a load balancer are one or two, and short.
const (
	maxCookies = 16
	maxCookie  = 4 << 10
)

// jar keeps the cookies of one target, and gives them to that one only: of
// several indexers behind a load balancer they lead to the one that can be asked
// for acknowledgements.
type jar struct {
	cookies []*http.Cookie
}

// take keeps what a response sets.
func (j *jar) take(resp *http.Response, now time.Time) {
	for _, c := range resp.Cookies() {
		if c.MaxAge > 0 {
			c.Expires = now.Add(time.Duration(c.MaxAge) * time.Second)
		}
		gone := c.MaxAge < 0 || !c.Expires.IsZero() && !c.Expires.After(now)
		j.set(c, gone)
	}
}

func (j *jar) set(c *http.Cookie, gone bool) {
	for i, old := range j.cookies {
		if old.Name == c.Name {
			j.cookies = append(j.cookies[:i], j.cookies[i+1:]...)
			break
		}
	}
	if !gone && len(j.cookies) < maxCookies && len(c.Name)+len(c.Value) <= maxCookie {
		j.cookies = append(j.cookies, &http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted, Expires: c.Expires})
	}
}

// give puts them on a request.
func (j *jar) give(req *http.Request, now time.Time) {
	for _, c := range j.cookies {
		if c.Expires.IsZero() || c.Expires.After(now) {
			req.AddCookie(c)
		}
	}
}
