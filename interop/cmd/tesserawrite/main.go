// Tesserawrite is a log made by Tessera's POSIX driver: it writes entries to a
// folder, for our client and fsck to check, and can go on serving the folder
// and taking entries. Unlike Tessera's own conformance server it takes a
// witness policy.
//
//	tesserawrite -dir DIR -key FILE [-n N] [-entry-size BYTES] [-policy FILE] [-listen ADDR [-await]]
//
// When the N entries are published (with a policy: cosigned by its quorum) it
// prints "published SIZE"; with -listen it then prints "listening ADDR" and
// serves until SIGTERM or SIGINT. POST /add is answered when the entry is
// sequenced, as Tessera's conformance server does, or with -await when a
// checkpoint that covers it is published. Nothing is deduplicated.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

var (
	dir       = flag.String("dir", "", "the log's folder; an existing log is continued")
	keyFile   = flag.String("key", "", "a file with the log's signing key (PRIVATE+KEY+…, Ed25519)")
	count     = flag.Uint64("n", 0, "how many entries to write")
	entrySize = flag.Int("entry-size", 64, "bytes an entry, at least 20")
	start     = flag.Uint64("start", 0, "the number of the first entry, so that a continued log gets new ones")
	batch     = flag.Uint("batch", 2048, "entries a batch")
	policy    = flag.String("policy", "", "a witness policy (a file, Tessera's dialect): nothing is published without its quorum")
	batchAge  = flag.Duration("batch-age", 100*time.Millisecond, "how long a batch waits for more entries")
	await     = flag.Bool("await", false, "answer POST /add when the entry is published")
	listen    = flag.String("listen", "", "serve the log on this address, for example 127.0.0.1:0")
	interval  = flag.Duration("interval", 200*time.Millisecond, "the shortest time between checkpoints")
	timeout   = flag.Duration("timeout", 60*time.Second, "how long to wait until all entries are published")
)

// entry returns the nth entry, the same at every run: its number, then dots.
func entry(n uint64) []byte {
	e := fmt.Appendf(nil, "%019d ", n)
	return append(e, bytes.Repeat([]byte{'.'}, max(0, *entrySize-len(e)))...)
}

func run(ctx context.Context) error {
	skey, err := os.ReadFile(*keyFile)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(string(bytes.TrimSpace(skey)))
	if err != nil {
		return fmt.Errorf("%s: %w", *keyFile, err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: *dir})
	if err != nil {
		return err
	}
	opts := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(*interval).
		WithBatching(*batch, *batchAge).
		// Tessera removes partial tiles that a full one replaced. A reader of a
		// log that is being written, or of a smaller tree, may still want one,
		// and C2SP tlog-tiles lets it ask: so keep them all.
		WithGarbageCollectionInterval(0)
	if *policy != "" {
		text, err := os.ReadFile(*policy)
		if err != nil {
			return err
		}
		group, err := tessera.NewWitnessGroupFromPolicy(text)
		if err != nil {
			return fmt.Errorf("%s: %w", *policy, err)
		}
		opts = opts.WithWitnesses(group, &tessera.WitnessOptions{Timeout: 5 * time.Second})
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		return err
	}

	// Futures are collected so that at most a few batches are in memory.
	var pending []tessera.IndexFuture
	settle := func() error {
		for _, future := range pending {
			if _, err := future(); err != nil {
				return err
			}
		}
		pending = pending[:0]
		return nil
	}
	for n := range *count {
		pending = append(pending, appender.Add(ctx, tessera.NewEntry(entry(*start+n))))
		if len(pending) >= int(*batch) {
			if err := settle(); err != nil {
				return err
			}
		}
	}
	if err := settle(); err != nil {
		return err
	}
	size, err := reader.IntegratedSize(ctx)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := published(ctx, reader, size); err != nil {
		return err
	}
	fmt.Printf("published %d\n", size)
	if *listen != "" {
		if err := serve(ctx, appender, reader); err != nil {
			return err
		}
	}
	return shutdown(context.WithoutCancel(ctx))
}

// published waits until the checkpoint covers size entries.
func published(ctx context.Context, reader tessera.LogReader, size uint64) error {
	deadline := time.Now().Add(*timeout)
	var cp []byte
	for time.Now().Before(deadline) && ctx.Err() == nil {
		var err error
		if cp, err = reader.ReadCheckpoint(ctx); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		var origin string
		var found uint64
		if _, err := fmt.Sscanf(string(cp), "%s\n%d\n", &origin, &found); err == nil && found >= size {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("checkpoint: expected size %d within %s, found %q", size, *timeout, cp)
}

// serve answers reads from the folder, and POST /add with the entry's index.
func serve(ctx context.Context, appender *tessera.Appender, reader tessera.LogReader) error {
	var publication *tessera.PublicationAwaiter
	if *await {
		publication = tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 10*time.Millisecond)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(*dir)))
	mux.HandleFunc("GET /.state/", http.NotFound)
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16-1))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		added := appender.Add(r.Context(), tessera.NewEntry(body))
		var index tessera.Index
		if publication != nil {
			index, _, err = publication.Await(r.Context(), added)
		} else {
			index, err = added()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%d", index.Index)
	})
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Printf("listening %s\n", listener.Addr())
	server := http.Server{Handler: mux, ReadTimeout: 30 * time.Second}
	go func() {
		<-ctx.Done()
		server.Shutdown(context.Background())
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func main() {
	klog.InitFlags(nil)
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("tesserawrite: ")
	if *dir == "" || *keyFile == "" {
		log.Print("expected -dir and -key")
		os.Exit(2)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := run(stop); err != nil {
		log.Fatal(err)
	}
}
