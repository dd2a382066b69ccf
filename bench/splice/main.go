// Command splice is the least that can call itself a CONNECT proxy: it reads the
// request, dials, answers, and lets the kernel move the bytes. `bench egress` holds
// others beside it.
//
//	splice LISTEN
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: splice LISTEN")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "splice:", run(os.Args[1]))
	os.Exit(1)
}

func run(listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serve(c)
	}
}

func serve(c net.Conn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReaderSize(c, 4<<10))
	if err != nil || r.Method != http.MethodConnect {
		return
	}
	up, err := net.Dial("tcp", r.Host)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer up.Close()
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(c, up)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(up, c)
	_ = up.(*net.TCPConn).CloseWrite()
	<-done
}
