package server

import (
	"compress/gzip"
	"context"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"
)

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	stream bool
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Stream makes an answer a live one (server-sent events): it lifts the read and
// write deadlines, which would cut it after a minute, sets the headers, and
// returns a context that also ends when the server drains. Call cancel when
// the stream ends.
func Stream(w http.ResponseWriter, r *http.Request) (ctx context.Context, cancel context.CancelFunc) {
	rc := http.NewResponseController(w)
	// Without a connection below (a test's recorder) there is no deadline to lift.
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	markStream(w)
	ctx, cancel = context.WithCancel(r.Context())
	if q := requestOf(r.Context()); q.server != nil {
		go func() {
			select {
			case <-q.server.ending:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

func markStream(w http.ResponseWriter) {
	for w != nil {
		if rec, ok := w.(*recorder); ok {
			rec.stream = true
			return
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = u.Unwrap()
	}
}

// gzipPages compresses answers that a browser reads, when it can unpack them.
// Streams and answers that are encoded already pass through.
func gzipPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !accepts(r.Header.Get("Accept-Encoding"), "gzip") || r.Header.Get("Range") != "" {
			next.ServeHTTP(w, r)
			return
		}
		gw := &gzipWriter{ResponseWriter: w}
		defer gw.close()
		next.ServeHTTP(gw, r)
	})
}

// accepts reports whether an Accept-Encoding header allows a coding.
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

var gzipPool = sync.Pool{New: func() any {
	zw, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return zw
}}

type gzipWriter struct {
	http.ResponseWriter
	zw      *gzip.Writer
	decided bool
}

// compressible are the media types of pages and documents; fonts and images are packed already.
func compressible(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil || t == "text/event-stream" {
		return false
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "json") || strings.HasSuffix(t, "javascript") || t == "image/svg+xml"
}

func (w *gzipWriter) WriteHeader(status int) {
	if status >= 200 && !w.decided {
		w.decided = true
		h := w.Header()
		if compressible(h.Get("Content-Type")) {
			h.Add("Vary", "Accept-Encoding")
			if status != http.StatusNoContent && status != http.StatusNotModified && h.Get("Content-Encoding") == "" {
				h.Set("Content-Encoding", "gzip")
				h.Del("Content-Length")
				if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
					h.Set("ETag", "W/"+tag) // the bytes differ from the plain ones
				}
				w.zw = gzipPool.Get().(*gzip.Writer)
				w.zw.Reset(w.ResponseWriter)
			}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *gzipWriter) Write(b []byte) (int, error) {
	if !w.decided {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", http.DetectContentType(b))
		}
		w.WriteHeader(http.StatusOK)
	}
	if w.zw != nil {
		return w.zw.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// FlushError lets http.ResponseController flush through the compression.
func (w *gzipWriter) FlushError() error {
	if w.zw != nil {
		if err := w.zw.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *gzipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *gzipWriter) close() {
	if w.zw == nil {
		return
	}
	_ = w.zw.Close() // fails only when the client has gone
	gzipPool.Put(w.zw)
	w.zw = nil
}
