package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVulnSaysWhetherItLooked: known weaknesses fail the build, a list of them that cannot be reached does not, and is not taken for a clean one.
func TestVulnSaysWhetherItLooked(t *testing.T) {
	for _, c := range []struct {
		name, prints string
		ends, curl   int
		fails        bool
		says         string
	}{
		{"clean", "No vulnerabilities found.", 0, 0, false, "No vulnerabilities found."},
		{"found", "Vulnerability #1: GO-2026-0001\nexit status 3", 1, 0, true, "GO-2026-0001"},
		{"out of reach", "it was not to be run", 1, 6, false, "NOT CHECKED"},
		{"gone meanwhile", "govulncheck: fetching vulnerabilities: Get \"https://vuln.go.dev/index/modules.json.gz\": dial tcp: no such host\nexit status 1", 1, 0, false, "NOT CHECKED"},
		{"broken", "govulncheck: loading packages: nothing compiles\nexit status 1", 1, 0, true, "nothing compiles"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "said"), []byte(c.prints+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for tool, script := range map[string]string{
				"go": fmt.Sprintf("#!/bin/sh\ncat %s/said\nexit %d\n", dir, c.ends), "curl": fmt.Sprintf("#!/bin/sh\nexit %d\n", c.curl),
			} {
				if err := os.WriteFile(filepath.Join(dir, tool), []byte(script), 0o700); err != nil { //nolint:gosec // they are run
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "bash", "../../scripts/vuln.sh")
			cmd.Env = append(os.Environ(), "GO=go", "PATH="+dir+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if (err != nil) != c.fails || !strings.Contains(string(out), c.says) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
