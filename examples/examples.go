// Package examples carries the policy folders of examples/ inside the program, so
// that the sample shop and the benchmark need no file beside it.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed shop demo bench/*.yaml templates/*.yaml
var files embed.FS

// Shop is the policy folder of the sample shop, examples/shop: the starter pack.
func Shop() fs.FS { return sub("shop") }

// Demo holds what the sample shop tries besides: one automation that waits, one in shadow, one as a canary.
func Demo() fs.FS { return sub("demo") }

// Bench holds the automations of the benchmark, examples/bench.
func Bench() fs.FS { return sub("bench") }

// Templates holds the automations to begin from, examples/templates.
func Templates() fs.FS { return sub("templates") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the names are constant
	}
	return f
}
