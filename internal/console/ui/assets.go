package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"sort"
	"strings"
	"sync"
)

//go:embed assets
var files embed.FS

// bundle is the folder name of the assets: a hash of all of them, so that a
// URL never changes its content and relative URLs inside CSS keep working.
var bundle = sync.OnceValue(func() string {
	names, _ := fs.Glob(files, "assets/*")
	sort.Strings(names)
	h := sha256.New()
	for _, n := range names {
		b, _ := files.ReadFile(n)
		h.Write([]byte(n))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
})

// AssetPrefix is the path below which Assets serves.
const AssetPrefix = "/assets/"

// Asset is the URL of an embedded file. It changes when any asset changes.
func Asset(name string) string { return AssetPrefix + bundle() + "/" + name }

var mimes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}

// Assets serves the embedded files with caching for ever. An URL of another
// build is answered 404, so that no cache mixes two builds.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, AssetPrefix+bundle()+"/")
		if !ok || rest == "" || strings.Contains(rest, "/") {
			http.NotFound(w, r)
			return
		}
		b, err := files.ReadFile("assets/" + rest)
		mime := mimes[path.Ext(rest)]
		if err != nil || mime == "" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", mime)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b)
	})
}
