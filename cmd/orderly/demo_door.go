package main

import (
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"strings"

	"orderly.example/orderly/internal/server"
)

// signInLink opens a door of the sample shop that signs the visitor in, and
// returns its path. The path is a secret of this run and ends with it.
func (r *running) signInLink(password string) string {
	var b [15]byte
	rand.Read(b[:])
	path := "/demo/" + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	r.mux.Handle("GET "+path, r.web.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if _, err := r.web.SignIn(req, demoUser, password); err != nil {
			server.Fail(w, req, err)
			return
		}
		http.Redirect(w, req, "/", http.StatusSeeOther)
	})))
	return path
}
