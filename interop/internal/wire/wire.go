// Package wire speaks just enough HTTP/1.1 for a load generator: one
// connection, kept alive, one request at a time. It takes the place of net/http
// since the generator shares the machine with the server it measures, and must
// never be what is slow.
package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Conn is a connection to one path of a server.
type Conn struct {
	// The header of that name, where it is not empty.
	Accept string

	host string
	path string
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

// Dial connects to base, an http:// URL, to post to path below it.
func Dial(base, path string) (*Conn, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" {
		return nil, fmt.Errorf("expected http://HOST:PORT, found %q", base)
	}
	c := &Conn{host: u.Host, path: strings.TrimSuffix(u.Path, "/") + path}
	return c, c.connect()
}

func (c *Conn) connect() (err error) {
	if c.conn != nil {
		c.conn.Close()
	}
	if c.conn, err = net.Dial("tcp", c.host); err == nil {
		c.in = bufio.NewReaderSize(c.conn, 4096)
	}
	return err
}

// Close closes the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Post sends a body, given in parts, and reads the whole answer. retryAfter is
// the header's, zero where there is none.
func (c *Conn) Post(body ...[]byte) (status int, retryAfter time.Duration, answer string, err error) {
	length := 0
	for _, part := range body {
		length += len(part)
	}
	c.out = fmt.Appendf(c.out[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n", c.path, c.host, length)
	if c.Accept != "" {
		c.out = fmt.Appendf(c.out, "Accept: %s\r\n", c.Accept)
	}
	c.out = append(c.out, "\r\n"...)
	for _, part := range body {
		c.out = append(c.out, part...)
	}
	if _, err = c.conn.Write(c.out); err != nil {
		return
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		return
	}
	if _, err = fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil {
		return status, 0, "", fmt.Errorf("expected an HTTP/1.1 status line, found %q", line)
	}
	length, chunked, closing := -1, false, false
	for {
		if line, err = c.in.ReadString('\n'); err != nil {
			return
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil {
				return
			}
		case "transfer-encoding":
			chunked = true
		case "connection":
			closing = strings.EqualFold(value, "close")
		case "retry-after":
			n, _ := strconv.Atoi(value)
			retryAfter = time.Duration(n) * time.Second
		}
	}
	var data []byte
	switch {
	case chunked:
		for n := int64(1); n > 0; {
			if line, err = c.in.ReadString('\n'); err != nil {
				return
			}
			if n, err = strconv.ParseInt(strings.TrimSpace(line), 16, 32); err != nil {
				return
			}
			chunk := make([]byte, n+2)
			if _, err = io.ReadFull(c.in, chunk); err != nil {
				return
			}
			data = append(data, chunk[:n]...)
		}
	case length < 0:
		return status, 0, "", errors.New("expected a Content-Length")
	default:
		data = make([]byte, length)
		if _, err = io.ReadFull(c.in, data); err != nil {
			return
		}
	}
	if closing {
		err = c.connect()
	}
	return status, retryAfter, string(data), err
}
