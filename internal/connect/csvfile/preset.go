package csvfile

import (
	"embed"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly.example/orderly/internal/fault"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// Presets returns the names of the built-in mappings of a kind, sorted.
func Presets(kind string) []string {
	var out []string
	entries, _ := presetFiles.ReadDir("presets") // embedded: cannot fail
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), "-"+kind+".yaml"); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// PresetText returns the YAML of a built-in mapping, to start one's own from.
func PresetText(name, kind string) ([]byte, bool) {
	b, err := presetFiles.ReadFile("presets/" + name + "-" + kind + ".yaml")
	return b, err == nil
}

// LoadMapping reads a mapping by the name of a preset or the path of a YAML file.
func LoadMapping(nameOrPath, kind string) (*Mapping, error) {
	if text, ok := PresetText(nameOrPath, kind); ok {
		return ParseMapping(nameOrPath+".yaml", text)
	}
	f, err := os.Open(nameOrPath)
	if err != nil {
		presets := Presets(kind)
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(nameOrPath, "./\\") {
			return nil, fault.New(fault.NotFound, "csvfile.LoadMapping", "no mapping %q for %s%s; built in: %s; or give the path of a YAML file",
				nameOrPath, kind, didYouMean(nameOrPath, presets), strings.Join(presets, ", "))
		}
		return nil, fault.Wrap(err, fault.NotFound, "csvfile.LoadMapping", "cannot open the mapping %s: %s", nameOrPath, pathCause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMappingBytes+1))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "csvfile.LoadMapping", "cannot read the mapping %s: %s", nameOrPath, pathCause(err))
	}
	m, err := ParseMapping(filepath.Base(nameOrPath), text)
	if err != nil {
		return nil, err
	}
	if kind != "" && m.Kind != kind {
		return nil, fault.New(fault.Invalid, "csvfile.LoadMapping", "the mapping %s is for %s, not for %s", nameOrPath, m.Kind, kind)
	}
	return m, nil
}
