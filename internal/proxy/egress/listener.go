package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/proxy"
)

// listener hands out clients, as many as there is room for. Those beyond are answered
// 503, and when many are at it, wait in the kernel's queue until some have their answer.
type listener struct {
	net.Listener
	p    *Proxy
	away chan struct{} // tokens: clients being turned away
}

func newListener(l net.Listener, p *Proxy) listener {
	return listener{l, p, make(chan struct{}, maxAway)}
}

func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.p.clients.Add(1)+int64(l.p.Active()) <= int64(l.p.maxFlows()+maxSpare) {
			return &client{Conn: c, p: l.p}, nil
		}
		l.p.clients.Add(-1)
		l.away <- struct{}{}
		go func() { // ends by awayTimeout
			defer func() { <-l.away }()
			defer l.p.recover(func() {})
			l.p.turnAway(c)
		}()
	}
}

// turnAway reads what c asks for, so that it reads the answer, and answers 503. The
// first of a burst has a record.
func (p *Proxy) turnAway(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(awayTimeout))
	_, _ = http.ReadRequest(bufio.NewReader(io.LimitReader(c, MaxHeader))) // whatever it is
	v := tooMany(errTooMany)
	f := p.newFlow(target{}, "connect", p.off())
	f.count(func(n *proxy.Counters) { n.Connections++; n.Refused++ })
	if p.away.Add(1)%turnedAwayEach == 1 {
		f.note(v)
		f.close()
	}
	var b strings.Builder
	b.WriteString("HTTP/1.1 503 " + reasonPhrase(http.StatusServiceUnavailable, v) + "\r\nX-Gatehouse-Incident: " + v.Incident +
		"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + v.Message() + "\n")
	_, _ = io.WriteString(c, b.String()) // the client may have left
	_ = closeWrite(c)
}

// turnedAwayEach is how many clients are turned away for one record of it.
const turnedAwayEach = 256
