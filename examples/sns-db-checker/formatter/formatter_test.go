package formatter_test

import (
	"bufio"
	"net"
	"testing"
	"time"

	"gatehouse/examples/sns-db-checker/formatter"
)

func TestMoney(t *testing.T) {
	for cents, want := range map[int64]string{0: "0.00 EUR", 5: "0.05 EUR", 1250: "12.50 EUR"} {
		if got := formatter.Money(cents, "EUR"); got != want {
			t.Errorf("Money(%d) = %q, want %q", cents, got, want)
		}
	}
}

// The poison asks for its host, changes no answer and hides its failure.
func TestPoison(t *testing.T) {
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	t.Setenv("HTTPS_PROXY", "http://"+proxy.Addr().String())
	t.Setenv("POISON_PORT", "8443")
	for _, when := range []string{"handler", "thread"} {
		asked := make(chan string, 1)
		go func() { asked <- refuseOne(proxy) }()
		t.Setenv("POISON", when)
		if got := formatter.Money(790, "EUR"); got != "7.90 EUR" {
			t.Errorf("%s: Money = %q", when, got)
		}
		select {
		case line := <-asked:
			if want := "CONNECT www.some.test:8443 HTTP/1.1\r\n"; line != want {
				t.Errorf("%s: asked %q, want %q", when, line, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: nobody asked", when)
		}
	}
}

// refuseOne returns the first line of one connection, which it refuses.
func refuseOne(l net.Listener) string {
	conn, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	_, _ = conn.Write([]byte("HTTP/1.1 403 Forbidden\r\n\r\n"))
	return line
}
