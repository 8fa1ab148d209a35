// Load sends entries to a log's POST /add as fast as it answers, with a fixed
// number of requests in flight, and says how many were acknowledged a second.
//
//	load -url URL -in-flight 64 -seconds 10 [-warmup 2] [-size 1024] [-seed 1] [-limit 0]
//
// Each of the requests in flight has a connection of its own, kept alive, and
// is followed by the next only when it is answered. Entries are unique: the
// seed, a number and pseudo-random bytes. 200 is an acknowledgement; 429 and
// 503 are retried after Retry-After (counted, not acknowledged); anything else
// ends the run.
//
// It writes HTTP/1.1 itself instead of using net/http, since it shares the
// machine with the server it measures: the generator must never be what is
// slow. It prints one line of JSON: acknowledgements within the measured time,
// per second, and how long each took from its first attempt on, milliseconds.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	target   = flag.String("url", "", "the log: an http:// URL")
	inFlight = flag.Int("in-flight", 64, "requests in flight, each on its own connection")
	seconds  = flag.Float64("seconds", 10, "how long to measure")
	warmup   = flag.Float64("warmup", 2, "how long to send before measuring")
	size     = flag.Int("size", 1024, "bytes an entry, at least 32")
	seed     = flag.Uint64("seed", 1, "entries differ between seeds")
	limit    = flag.Int64("limit", 0, "stop after this many entries, however long that takes: to fill a log")
)

type result struct {
	InFlight     int     `json:"inFlight"`
	Seconds      float64 `json:"seconds"`
	Acknowledged int     `json:"acknowledged"`
	PerSecond    float64 `json:"perSecond"`
	P50          float64 `json:"p50Ms"`
	P99          float64 `json:"p99Ms"`
	Max          float64 `json:"maxMs"`
	Retried      int64   `json:"retried"`
	// Last index seen, of all entries including the warm-up's.
	MaxIndex uint64 `json:"maxIndex"`
}

var (
	started  time.Time
	numbers  atomic.Int64
	retried  atomic.Int64
	maxIndex atomic.Uint64
)

// How long one entry is retried.
const patience = time.Minute

// worker has one connection and one request in flight.
type worker struct {
	host   string
	path   string
	body   []byte
	random *rand.ChaCha8
	conn   net.Conn
	in     *bufio.Reader
	// Milliseconds of those acknowledged within the measured time.
	took []float64
}

func (w *worker) connect() (err error) {
	if w.conn != nil {
		w.conn.Close()
	}
	if w.conn, err = net.Dial("tcp", w.host); err == nil {
		w.in = bufio.NewReaderSize(w.conn, 4096)
	}
	return err
}

// post sends the body and reads the whole answer.
func (w *worker) post() (status int, retryAfter time.Duration, answer string, err error) {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", w.path, w.host, len(w.body))
	if _, err = w.conn.Write(append([]byte(head), w.body...)); err != nil {
		return
	}
	line, err := w.in.ReadString('\n')
	if err != nil {
		return
	}
	if _, err = fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil {
		return status, 0, "", fmt.Errorf("expected an HTTP/1.1 status line, found %q", line)
	}
	length, chunked, closing := -1, false, false
	for {
		if line, err = w.in.ReadString('\n'); err != nil {
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
			if line, err = w.in.ReadString('\n'); err != nil {
				return
			}
			if n, err = strconv.ParseInt(strings.TrimSpace(line), 16, 32); err != nil {
				return
			}
			chunk := make([]byte, n+2)
			if _, err = io.ReadFull(w.in, chunk); err != nil {
				return
			}
			data = append(data, chunk[:n]...)
		}
	case length < 0:
		return status, 0, "", errors.New("expected a Content-Length")
	default:
		data = make([]byte, length)
		if _, err = io.ReadFull(w.in, data); err != nil {
			return
		}
	}
	if closing {
		err = w.connect()
	}
	return status, retryAfter, string(data), err
}

func (w *worker) run(from, until time.Time) error {
	for {
		now := time.Now()
		if *limit == 0 && now.After(until) {
			return nil
		}
		number := numbers.Add(1)
		if *limit > 0 && number > *limit {
			return nil
		}
		w.random.Read(w.body)
		binary.BigEndian.PutUint64(w.body, *seed)
		binary.BigEndian.PutUint64(w.body[8:], uint64(started.UnixNano()))
		binary.BigEndian.PutUint64(w.body[16:], uint64(number))
		for {
			status, wait, answer, err := w.post()
			if err != nil {
				return err
			}
			if status == 200 {
				index, err := strconv.ParseUint(strings.TrimSpace(answer), 10, 64)
				if err != nil {
					return fmt.Errorf("expected an index, found %q", answer)
				}
				for old := maxIndex.Load(); index > old && !maxIndex.CompareAndSwap(old, index); old = maxIndex.Load() {
				}
				break
			}
			if status != 429 && status != 503 {
				return fmt.Errorf("expected 200, found %d %q", status, answer)
			}
			retried.Add(1)
			time.Sleep(max(wait, 10*time.Millisecond))
			if time.Since(now) > patience {
				return fmt.Errorf("expected 200 within %s, found %d %q", patience, status, answer)
			}
		}
		if end := time.Now(); *limit > 0 || (end.After(from) && !end.After(until)) {
			w.took = append(w.took, float64(end.Sub(now).Microseconds())/1000)
		}
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	flag.Parse()
	u, err := url.Parse(*target)
	if err != nil || u.Scheme != "http" || *size < 32 || *inFlight < 1 {
		log.Print("expected -url http://HOST:PORT, -size of at least 32, -in-flight of at least 1")
		os.Exit(2)
	}
	workers := make([]*worker, *inFlight)
	for i := range workers {
		var key [32]byte
		binary.BigEndian.PutUint64(key[:], *seed)
		binary.BigEndian.PutUint64(key[8:], uint64(i))
		workers[i] = &worker{
			host:   u.Host,
			path:   strings.TrimSuffix(u.Path, "/") + "/add",
			body:   make([]byte, *size),
			random: rand.NewChaCha8(key),
		}
		if err := workers[i].connect(); err != nil {
			log.Fatal(err)
		}
	}
	started = time.Now()
	from := started.Add(time.Duration(*warmup * float64(time.Second)))
	until := from.Add(time.Duration(*seconds * float64(time.Second)))
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() {
			if err := w.run(from, until); err != nil {
				log.Fatal(err)
			}
		})
	}
	all.Wait()
	r := result{InFlight: *inFlight, Seconds: *seconds, Retried: retried.Load(), MaxIndex: maxIndex.Load()}
	if *limit > 0 {
		r.Seconds = time.Since(started).Seconds()
	}
	var took []float64
	for _, w := range workers {
		took = append(took, w.took...)
	}
	slices.Sort(took)
	r.Acknowledged = len(took)
	r.PerSecond = float64(len(took)) / r.Seconds
	if len(took) > 0 {
		r.P50, r.P99, r.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	json.NewEncoder(os.Stdout).Encode(r)
}
