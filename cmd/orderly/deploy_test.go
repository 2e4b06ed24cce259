package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"orderly.example/orderly/internal/config"
)

// deployed reads an example of deploy/.
func deployed(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// at walks into a decoded document; a number is a place in a list.
func at(t *testing.T, doc any, path ...any) any {
	t.Helper()
	for i, p := range path {
		switch key := p.(type) {
		case string:
			m, _ := doc.(map[string]any)
			inner, ok := m[key]
			if !ok {
				t.Fatalf("there is no %v", path[:i+1])
			}
			doc = inner
		case int:
			l, _ := doc.([]any)
			if key >= len(l) {
				t.Fatalf("there is no %v", path[:i+1])
			}
			doc = l[key]
		}
	}
	return doc
}

func same(t *testing.T, want any, doc any, path ...any) {
	t.Helper()
	if got := at(t, doc, path...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v is %v, want %v", path, got, want)
	}
}

// stopSeconds is how long a service manager must wait: the requests' time and a delivery's.
const stopSeconds = 75

// knownSettings fails for environment variables that are no settings.
func knownSettings(t *testing.T, text string) {
	t.Helper()
	known := []string{}
	for _, k := range config.Keys() {
		known = append(known, config.Env(k))
	}
	for _, name := range regexp.MustCompile(`ORDERLY_[A-Z_]+`).FindAllString(text, -1) {
		if !slices.Contains(known, name) {
			t.Errorf("%s is no setting", name)
		}
	}
}

func TestSystemdUnit(t *testing.T) {
	text := deployed(t, "systemd/orderly.service")
	knownSettings(t, text)
	for _, line := range []string{
		"TimeoutStopSec=" + strconv.Itoa(stopSeconds), "KillSignal=SIGTERM", "Restart=always", "StateDirectory=orderly", "NoNewPrivileges=yes", "ProtectSystem=strict",
		"ExecStart=/usr/local/bin/orderly serve --data-dir /var/lib/orderly",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the unit does not say %s", line)
		}
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("no systemd-analyze here: only the text was looked at")
		return
	}
	// The program need not be installed where the tests run.
	unit := filepath.Join(t.TempDir(), "orderly.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(text, "/usr/local/bin/orderly", "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), verify, "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "Unknown") {
		t.Errorf("systemd-analyze: %v %s", err, out)
	}
}

func TestContainers(t *testing.T) {
	docker := deployed(t, "Dockerfile")
	knownSettings(t, docker)
	for _, want := range []string{"CGO_ENABLED=0", "FROM scratch", "USER 65532", `ENTRYPOINT ["/orderly"]`, "main.version="} {
		if !strings.Contains(docker, want) {
			t.Errorf("the Dockerfile does not say %s", want)
		}
	}
	gomod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(gomod)
	if !strings.Contains(docker, "FROM golang:"+string(version[1])) {
		t.Errorf("the image builds with another Go than go.mod's %s", version[1])
	}
	text := deployed(t, "compose/compose.yaml")
	knownSettings(t, text)
	var doc any
	if err := yaml.UnmarshalWithOptions([]byte(text), &doc, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	shop := []any{"services", "orderly"}
	same(t, strconv.Itoa(stopSeconds)+"s", doc, append(shop, "stop_grace_period")...)
	same(t, "service_healthy", doc, append(shop, "depends_on", "postgres", "condition")...)
	same(t, "deploy/Dockerfile", doc, append(shop, "build", "dockerfile")...)
	same(t, "127.0.0.1:8080:8080", doc, append(shop, "ports", 0)...)
	at(t, doc, "services", "postgres", "healthcheck", "test")
	for _, v := range []string{"key", "postgres"} { // a named volume that is not declared is refused
		if _, ok := at(t, doc, "volumes").(map[string]any)[v]; !ok {
			t.Errorf("the volume %s is not declared", v)
		}
	}
}

func TestKubernetes(t *testing.T) {
	text := deployed(t, "kubernetes/orderly.yaml")
	knownSettings(t, text)
	kinds := map[string]any{}
	for _, part := range strings.Split(text, "\n---\n") {
		var doc any
		if err := yaml.UnmarshalWithOptions([]byte(part), &doc, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
		kinds[fmt.Sprint(at(t, doc, "kind"))] = doc
		same(t, "orderly", doc, "metadata", "namespace")
	}
	node := at(t, kinds["Deployment"], "spec", "template")
	same(t, stopSeconds, node, "spec", "terminationGracePeriodSeconds")
	box := at(t, node, "spec", "containers", 0)
	same(t, "/readyz", box, "readinessProbe", "httpGet", "path")
	same(t, "/healthz", box, "livenessProbe", "httpGet", "path")
	same(t, 5, box, "lifecycle", "preStop", "sleep", "seconds")
	same(t, at(t, box, "image"), kinds["Job"], "spec", "template", "spec", "containers", 0, "image")
	same(t, "migrate", kinds["Job"], "spec", "template", "spec", "containers", 0, "args", 0)
	same(t, 0, kinds["Deployment"], "spec", "strategy", "rollingUpdate", "maxUnavailable")
	labels := at(t, node, "metadata", "labels")
	same(t, labels, kinds["Deployment"], "spec", "selector", "matchLabels")
	same(t, labels, kinds["Service"], "spec", "selector")
	same(t, labels, kinds["PodDisruptionBudget"], "spec", "selector", "matchLabels")
	same(t, at(t, box, "ports", 0, "name"), kinds["Service"], "spec", "ports", 0, "targetPort")
	mounted := map[string]bool{}
	for i := range at(t, node, "spec", "volumes").([]any) {
		mounted[fmt.Sprint(at(t, node, "spec", "volumes", i, "name"))] = true
	}
	for i := range at(t, box, "volumeMounts").([]any) {
		if name := fmt.Sprint(at(t, box, "volumeMounts", i, "name")); !mounted[name] {
			t.Errorf("the volume %s is mounted but not there", name)
		}
	}
}

// TestDashboard: every metric that the dashboard and the alert rules ask for is one that a node has, with the labels that are asked for.
func TestDashboard(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(deployed(t, "grafana/orderly.json")), &doc); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := start(t, dir, "serve")
	s.do("POST", "/v1/events", "{}", "Content-Type", "application/json") // a door's counters come with the first request
	token := strings.TrimSpace(s.run("", "token", "create", "shop", "--scopes", "events:write"))
	s.do("POST", "/v1/events", `{"source":"s","id":"1","type":"stock.received","data":{"sku":"A","location":"x","qty":1}}`, "Authorization", "Bearer "+token, "Content-Type", "application/json")
	var metrics string
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit) && (!strings.Contains(metrics, "orderly_http_requests_total{") || !strings.Contains(metrics, "orderly_watch_age_seconds")); {
		_, metrics, _ = s.do("GET", "/metrics", "")
	}
	for _, d := range []*prometheus.Desc{metricReplicaLag, metricReplicaUsed} { // there with read_db only
		metrics += regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1] + " 0\n"
	}
	name := regexp.MustCompile(`\b(?:orderly|process)_[a-z_]+`)
	labels := regexp.MustCompile(`by \(([a-z_, ]+)\)|\{([a-z_]+)=`)
	seen := 0
	check := func(expr string) {
		for _, n := range name.FindAllString(expr, -1) {
			seen++
			line := regexp.MustCompile(`(?m)^` + n + `[ {].*$`).FindString(metrics)
			if line == "" {
				t.Errorf("there is no metric %s: %s", n, expr)
			}
			if by := labels.FindStringSubmatch(expr); by != nil {
				for _, label := range strings.Split(by[1]+by[2], ", ") {
					if label != "instance" && !strings.Contains(line, label+`="`) { // Prometheus adds the instance
						t.Errorf("%s has no label %s: %s", n, label, line)
					}
				}
			}
		}
	}
	for i := range at(t, doc, "panels").([]any) {
		if fmt.Sprint(at(t, doc, "panels", i, "description")) == "" {
			t.Errorf("panel %v says nothing of what it shows", at(t, doc, "panels", i, "title"))
		}
		for j := range at(t, doc, "panels", i, "targets").([]any) {
			check(fmt.Sprint(at(t, doc, "panels", i, "targets", j, "expr")))
		}
	}
	var rules any
	if err := yaml.UnmarshalWithOptions([]byte(deployed(t, "prometheus/orderly.rules.yaml")), &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for i := range at(t, rules, "groups", 0, "rules").([]any) {
		rule := at(t, rules, "groups", 0, "rules", i)
		check(fmt.Sprint(at(t, rule, "expr")))
		for _, key := range []string{"summary", "do"} {
			if text := fmt.Sprint(at(t, rule, "annotations", key)); len(text) < 20 {
				t.Errorf("%v: %s is %q", at(t, rule, "alert"), key, text)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d metrics were looked at", seen)
	}
}
