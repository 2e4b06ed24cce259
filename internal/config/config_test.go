package config

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// load runs Load with a file, an environment and flags.
func load(t *testing.T, file string, env []string, args ...string) (*Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Bind(flags, Keys()...)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(Source{Flags: flags, Environ: env, ReadFile: func(name string) ([]byte, error) {
		if file == "" || name != DefaultFile && name != "my.yaml" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(file), nil
	}})
}

func TestDefaults(t *testing.T) {
	c, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.DB != "sqlite:orderly-data/orderly.db" || c.KeyFile != "orderly-data/orderly.key" || c.Listen != "127.0.0.1:8080" ||
		c.MaxEventBytes != 1<<20 || c.MaxBatchBytes != 8<<20 || c.ReadTimeout != 30*time.Second || c.TLS() || c.Postgres() {
		t.Errorf("defaults: %+v", c)
	}
}

func TestEachOverridesTheOneBefore(t *testing.T) {
	file := "listen: 127.0.0.1:1\nlog_level: debug\nread_timeout: 5s\n"
	env := []string{"ORDERLY_LISTEN=127.0.0.1:2", "ORDERLY_LOG_LEVEL=warn", "OTHER=x"}
	c, err := load(t, file, env, "--listen", "127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.LogLevel != "warn" || c.ReadTimeout != 5*time.Second {
		t.Errorf("got %+v", c)
	}
}

func TestEverySettingHasOneNameEverywhere(t *testing.T) {
	for _, s := range settings {
		value := s.def
		switch {
		case strings.HasSuffix(s.key, "_timeout"):
			value = "7s"
		case strings.HasSuffix(s.key, "_bytes"):
			value = "16MiB"
		case s.key == "oidc_issuer":
			value = "https://id.example"
		case s.key == "oidc_role":
			value = "agent"
		case s.key == "base_url":
			value = "https://shop.example"
		case s.key == "trusted_proxies":
			value = "10.0.0.0/8"
		case s.key == "listen":
			value = "0.0.0.0:99"
		case s.key == "read_db":
			value = "postgres://a@replica/x"
		case s.key == "db_limit":
			value = "50GiB"
		case s.key == "archive_after":
			value = "400"
		case s.key == "db":
			value = "postgres://a@b/x"
		case s.def == "":
			value = "x"
		}
		more := []string{"ORDERLY_TLS_CERT=a", "ORDERLY_TLS_KEY=b", "ORDERLY_MAX_BATCH_BYTES=64MiB", "ORDERLY_BASE_URL=https://other.example", "ORDERLY_OIDC_CLIENT_ID=c", "ORDERLY_DB=postgres://a@b/x"}
		byFile, err1 := load(t, s.key+": "+value, drop(more, Env(s.key)))
		byEnv, err2 := load(t, "", append([]string{Env(s.key) + "=" + value}, drop(more, Env(s.key))...))
		byFlag, err3 := load(t, "", drop(more, Env(s.key)), "--"+Flag(s.key), value)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Errorf("%s: %v, %v, %v", s.key, err1, err2, err3)
			continue
		}
		fresh, _ := load(t, "", drop(more, Env(s.key)))
		a, b, c := show(byFile), show(byEnv), show(byFlag)
		if a != b || b != c {
			t.Errorf("%s differs: %s, %s, %s", s.key, a, b, c)
		}
		if fresh != nil && a == show(fresh) && value != s.def {
			t.Errorf("%s=%s changes nothing", s.key, value)
		}
	}
}

func drop(env []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, name+"=") })
}

func show(c *Config) string {
	var b strings.Builder
	for _, p := range c.TrustedProxies {
		b.WriteString(p.String())
	}
	d := *c
	d.TrustedProxies = nil
	return b.String() + strings.Join([]string{
		d.DB, d.Listen, d.BaseURL, d.DataDir, d.KeyFile, d.LogLevel, d.LogFormat, d.TLSCert, d.TLSKey,
		d.OIDCIssuer, d.OIDCClient, d.OIDCSecret, d.OIDCName, d.OIDCRole, d.ReadDB, d.ArchiveDir, strconv.Itoa(d.ArchiveAfter), strconv.FormatInt(d.DBLimit, 10), strconv.FormatBool(d.DBPooler), d.ReadDBLag.String(),
	}, "|") +
		time.Duration(d.MaxEventBytes).String() + time.Duration(d.MaxBatchBytes).String() +
		d.HeaderTimeout.String() + d.ReadTimeout.String() + d.WriteTimeout.String() + d.IdleTimeout.String() + d.DrainTimeout.String()
}

func TestErrorsNameKeyAndPlace(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		env, args  []string
		want       []string
	}{
		{"file", "db: x.db\nlisten: nowhere\n", nil, nil, []string{"orderly.yaml:2:1", "listen must be host:port"}},
		{"unknown key", "lisen: :80\n", nil, nil, []string{"orderly.yaml:1:1", `unknown setting "lisen"`, `did you mean "listen"`}},
		{"env", "", []string{"ORDERLY_LOG_LEVEL=loud"}, nil, []string{"ORDERLY_LOG_LEVEL", "log_level must be one of"}},
		{"flag", "", nil, []string{"--read-timeout", "soon"}, []string{"--read-timeout", "read_timeout must be a time"}},
		{
			"all at once", "log_format: xml\n",
			[]string{"ORDERLY_DB=mysql://x"},
			[]string{"--base-url", "ftp://x"},
			[]string{"log_format", "ORDERLY_DB", "mysql://", "--base-url"},
		},
		{"tls", "", nil, []string{"--tls-cert", "c.pem"}, []string{"--tls-cert", "needs tls_key"}},
		{"no map", "- a\n- b\n", nil, nil, []string{"must be a list of settings"}},
		{"nested", "listen: {port: 3}\n", nil, nil, []string{"orderly.yaml:1:1", "must be a text"}},
		{"broken", "listen: [\n", nil, nil, []string{"not valid YAML"}},
		{"named file", "", nil, []string{"--config", "none.yaml"}, []string{"none.yaml", "cannot be read"}},
		{"proxies", "trusted_proxies: [10.0.0.0/8, here]\n", nil, nil, []string{`"here"`}},
		{"sizes", "max_batch_bytes: 1KiB\n", nil, nil, []string{"must not be smaller"}},
	} {
		_, err := load(t, tc.file, tc.env, tc.args...)
		if err == nil {
			t.Errorf("%s: no error", tc.name)
			continue
		}
		for _, w := range tc.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is missing in: %v", tc.name, w, err)
			}
		}
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	_, err := load(t, "", []string{"ORDERLY_BASE_URL=http://kim:hunter2@x/y"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownVariablesAreToldNotRefused(t *testing.T) {
	c, err := load(t, "", []string{"ORDERLY_LISTN=x", "ORDERLY_DATA=/d"})
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "ORDERLY_LISTEN") {
		t.Errorf("warnings %v, error %v", c.Warnings, err)
	}
}

func TestDB(t *testing.T) {
	for in, want := range map[string]string{"shop.db": "sqlite:shop.db", "sqlite:shop.db": "sqlite:shop.db", "postgres://h/d": "postgres://h/d"} {
		c, err := load(t, "", nil, "--db", in)
		if err != nil || c.DB != want {
			t.Errorf("db %q = %q, %v", in, c.DB, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("listen: :80\n")
	f.Add("trusted_proxies:\n  - 10.0.0.1\n")
	f.Add("? [a]\n: b")
	f.Add("a: &x b\nc: *x")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Load(Source{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
		if (c == nil) == (err == nil) {
			t.Errorf("Load(%q) = %v, %v", text, c, err)
		}
	})
}
