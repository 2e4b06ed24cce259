// Package config is the program's settings: one struct, filled from defaults,
// then one YAML file, then the environment, then flags, each overriding the
// one before. A setting has one name everywhere: base_url in the file,
// ORDERLY_BASE_URL in the environment, --base-url on the command line. Whatever
// is wrong is reported together, each with the key and the place it came from.
//
// Settings of the shop (time zone, currency, connections) are not here: they
// stand in the database.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
)

// Config is every setting, validated.
type Config struct {
	DB             string // "sqlite:PATH" or "postgres://…"
	DBPooler       bool   // DB is reached through a pooler that shares sessions between transactions
	ReadDB         string // URL of a streaming replica that pages read from; "" = none
	ReadDBLag      time.Duration
	DBLimit        int64  // bytes that the database may take where it lies; 0 = not known
	ArchiveDir     string // where old events are archived
	ArchiveAfter   int    // days after which they are, by a running node; 0 = never
	Listen         string // host:port; port 0 takes a free one
	BaseURL        string // how browsers reach the program; "" = from Listen
	DataDir        string
	KeyFile        string // the key that seals secrets and personal data
	LogLevel       string
	LogFormat      string
	TLSCert        string
	TLSKey         string
	TrustedProxies []netip.Prefix // whose X-Forwarded-* are believed
	MaxEventBytes  int64          // body of one event
	MaxBatchBytes  int64          // body of a list of events
	HeaderTimeout  time.Duration  // to read the request's header
	ReadTimeout    time.Duration  // to read the whole request
	WriteTimeout   time.Duration  // to answer; streams are exempt
	IdleTimeout    time.Duration  // between requests of one connection
	DrainTimeout   time.Duration  // for running requests when the program ends

	OIDCIssuer string // of the sign-in service; "" = passwords only
	OIDCClient string
	OIDCSecret string
	OIDCName   string // on the button
	OIDCRole   string // of accounts it makes; "" = none are made

	Warnings []string // what is odd but not wrong
}

// setting is one row of the table below.
type setting struct {
	key, def, arg, doc string
	set                func(*Config, string) error
}

// settings is the table that flags, environment, file and help are made from.
var settings = []setting{
	{"db", "", "URL", "database: a path or sqlite:PATH, or postgres://user@host/name (default: orderly.db in the data directory)", setDB},
	{"db_pooler", "false", "BOOL", "the database is reached through PgBouncer or the like in transaction mode: keep nothing in a session, and poll for work", yesNo(func(c *Config) *bool { return &c.DBPooler })},
	{"read_db", "", "URL", "postgres:// URL of a streaming replica that lists, figures and backtests are read from", setReadDB},
	{"read_db_lag", "10s", "TIME", "how far the replica may lag behind before the primary is read instead", span(func(c *Config) *time.Duration { return &c.ReadDBLag })},
	{"db_limit", "", "SIZE", "room that the database may take where it lies, like 50GiB; an incident tells before it is used up. What the disk of a PostgreSQL server has free nobody else says", size(func(c *Config) *int64 { return &c.DBLimit })},
	{"archive_dir", "", "DIR", "folder of archived events; one for all nodes (default: archive in the data directory)", text(func(c *Config) *string { return &c.ArchiveDir })},
	{"archive_after", "0", "DAYS", "archive months that ended so many days ago, once a day; 0 = never", setArchiveAfter},
	{"data_dir", "orderly-data", "DIR", "directory for the database, the key and backups", text(func(c *Config) *string { return &c.DataDir })},
	{"key_file", "", "FILE", "key that seals secrets and personal data; keep a copy apart from backups (default: orderly.key in the data directory)", text(func(c *Config) *string { return &c.KeyFile })},
	{"log_level", "info", "LEVEL", "debug, info, warn or error", oneOf(func(c *Config) *string { return &c.LogLevel }, "debug", "info", "warn", "error")},
	{"log_format", "text", "FORMAT", "text or json", oneOf(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
	{"listen", "127.0.0.1:8080", "ADDR", "address to listen on, host:port; port 0 takes a free one", setListen},
	{"base_url", "", "URL", "how browsers reach the program, for links in mails (default: from listen)", setBaseURL},
	{"tls_cert", "", "FILE", "certificate chain in PEM; with tls_key, serve https", text(func(c *Config) *string { return &c.TLSCert })},
	{"tls_key", "", "FILE", "private key in PEM", text(func(c *Config) *string { return &c.TLSKey })},
	{"trusted_proxies", "", "CIDRS", "addresses or networks, separated by commas, whose X-Forwarded-For and -Proto are believed", setProxies},
	{"max_event_bytes", "1MiB", "SIZE", "largest body of one event", size(func(c *Config) *int64 { return &c.MaxEventBytes })},
	{"max_batch_bytes", "8MiB", "SIZE", "largest body of a list of events", size(func(c *Config) *int64 { return &c.MaxBatchBytes })},
	{"header_timeout", "10s", "TIME", "time a client has to send a request's header", span(func(c *Config) *time.Duration { return &c.HeaderTimeout })},
	{"read_timeout", "30s", "TIME", "time a client has to send a whole request", span(func(c *Config) *time.Duration { return &c.ReadTimeout })},
	{"write_timeout", "60s", "TIME", "time an answer may take; live streams are exempt", span(func(c *Config) *time.Duration { return &c.WriteTimeout })},
	{"idle_timeout", "2m", "TIME", "time an idle connection is kept", span(func(c *Config) *time.Duration { return &c.IdleTimeout })},
	{"oidc_issuer", "", "URL", "sign-in service that speaks OpenID Connect, like https://id.example.com; it sends people back to base_url/signin/sso/callback", setIssuer},
	{"oidc_client_id", "", "ID", "this program's id at the sign-in service", text(func(c *Config) *string { return &c.OIDCClient })},
	{"oidc_client_secret", "", "SECRET", "this program's secret there; in the environment or the file, as others on the machine can read flags", text(func(c *Config) *string { return &c.OIDCSecret })},
	{"oidc_name", "", "NAME", "the sign-in service as the button names it", text(func(c *Config) *string { return &c.OIDCName })},
	{"oidc_role", "", "ROLE", "viewer, agent or operator: the role of accounts made for people whom the service vouches for (default: none are made)", oneOf(func(c *Config) *string { return &c.OIDCRole }, "viewer", "agent", "operator")},
	{"drain_timeout", "20s", "TIME", "time that running requests get when the program ends", span(func(c *Config) *time.Duration { return &c.DrainTimeout })},
}

// Common are the settings that every command with a database takes.
var Common = []string{"db", "db_pooler", "archive_dir", "data_dir", "key_file", "log_level", "log_format"}

// Keys lists every setting's name as in the file.
func Keys() []string {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s.key
	}
	return out
}

// Env returns the name of the environment variable of a setting.
func Env(key string) string { return "ORDERLY_" + strings.ToUpper(key) }

// Flag returns the name of the flag of a setting, without dashes.
func Flag(key string) string { return strings.ReplaceAll(key, "_", "-") }

// FileFlag is the flag that names the YAML file; its variable is ORDERLY_CONFIG.
const FileFlag = "config"

// DefaultFile is read when it exists and no other file is named.
const DefaultFile = "orderly.yaml"

// Bind defines the flags of settings, and of the file when it is not defined yet.
func Bind(fs *pflag.FlagSet, keys ...string) {
	for _, s := range settings {
		if !slices.Contains(keys, s.key) {
			continue
		}
		doc := "`" + s.arg + "` " + s.doc
		if s.def != "" {
			doc += " (default " + s.def + ")"
		}
		fs.String(Flag(s.key), "", doc+" ["+Env(s.key)+"]")
	}
	if fs.Lookup(FileFlag) == nil {
		fs.String(FileFlag, "", "`FILE` YAML file with any of these settings (default "+DefaultFile+" if it exists) [ORDERLY_CONFIG]")
	}
}

// Source is where settings come from. ReadFile and Environ may be nil for the real ones.
type Source struct {
	Flags    *pflag.FlagSet // only flags that were set count
	Environ  []string       // "NAME=value"
	ReadFile func(string) ([]byte, error)
}

// Load fills and validates a Config. The error lists every problem.
func Load(src Source) (*Config, error) {
	if src.ReadFile == nil {
		src.ReadFile = os.ReadFile
	}
	env := map[string]string{}
	for _, e := range src.Environ {
		if k, v, ok := strings.Cut(e, "="); ok && strings.HasPrefix(k, "ORDERLY_") {
			env[k] = v
		}
	}
	l := &loader{cfg: &Config{}, where: map[string]string{}}
	for _, s := range settings {
		if s.def != "" {
			l.apply(s, s.def, "the default")
		}
	}
	l.file(src, env)
	for _, s := range settings {
		if v, ok := env[Env(s.key)]; ok && v != "" {
			l.apply(s, v, Env(s.key))
		}
	}
	for _, s := range settings {
		if src.Flags == nil {
			break
		}
		if f := src.Flags.Lookup(Flag(s.key)); f != nil && f.Changed {
			l.apply(s, f.Value.String(), "--"+f.Name)
		}
	}
	l.unknownEnv(env)
	l.finish()
	if err := fault.Problems("config.Load", l.problems); err != nil {
		e := err.(*fault.Error)
		e.Message = "the settings are not valid"
		return nil, e
	}
	return l.cfg, nil
}

type loader struct {
	cfg      *Config
	where    map[string]string // setting -> the place its value came from
	problems []fault.Problem
}

func (l *loader) problem(where, format string, args ...any) {
	l.problems = append(l.problems, fault.Problem{Pointer: where, Message: observe.Clean(fmt.Sprintf(format, args...))})
}

func (l *loader) apply(s setting, value, where string) {
	l.where[s.key] = where
	if err := s.set(l.cfg, value); err != nil {
		l.problem(where, "%s %s", s.key, err)
	}
}

func (l *loader) file(src Source, env map[string]string) {
	name, explicit := env["ORDERLY_CONFIG"], true
	if src.Flags != nil {
		if f := src.Flags.Lookup(FileFlag); f != nil && f.Changed {
			name = f.Value.String()
		}
	}
	if name == "" {
		name, explicit = DefaultFile, false
	}
	text, err := src.ReadFile(name)
	if err != nil {
		if explicit || !os.IsNotExist(err) {
			l.problem(name, "the settings file cannot be read: %s", err)
		}
		return
	}
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		l.problem(name, "is not valid YAML: %s", yaml.FormatError(err, false, false))
		return
	}
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		m, ok := doc.Body.(ast.MapNode)
		if !ok {
			l.problem(name, "must be a list of settings like \"listen: 127.0.0.1:8080\"")
			return
		}
		for it := m.MapRange(); it.Next(); {
			l.entry(name, it.KeyValue())
		}
	}
}

func (l *loader) entry(name string, kv *ast.MappingValueNode) {
	pos := kv.Key.GetToken().Position
	where := fmt.Sprintf("%s:%d:%d", name, pos.Line, pos.Column)
	key := kv.Key.GetToken().Value
	i := slices.IndexFunc(settings, func(s setting) bool { return s.key == key })
	if i < 0 {
		l.problem(where, "unknown setting %q%s", key, suggest(key, Keys()))
		return
	}
	var value string
	switch n := kv.Value.(type) {
	case *ast.NullNode:
		return
	case *ast.SequenceNode:
		var parts []string
		for _, v := range n.Values {
			if _, ok := v.(ast.ScalarNode); !ok {
				l.problem(where, "%s must be a text or a list of texts", key)
				return
			}
			parts = append(parts, scalar(v))
		}
		value = strings.Join(parts, ",")
	case ast.ScalarNode:
		value = scalar(n)
	default:
		l.problem(where, "%s must be a text or a list of texts", key)
		return
	}
	l.apply(settings[i], value, where)
}

func scalar(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	if s, ok := n.(*ast.LiteralNode); ok {
		return strings.TrimSpace(s.Value.Value)
	}
	return n.GetToken().Value // a number as it was written
}

// otherEnv are variables with our prefix that are not settings.
var otherEnv = []string{"ORDERLY_AS", "ORDERLY_CONFIG", "ORDERLY_DATA", "ORDERLY_PASSWORD"}

func (l *loader) unknownEnv(env map[string]string) {
	var names []string
	for _, k := range Keys() {
		names = append(names, Env(k))
	}
	for k := range env {
		if !slices.Contains(names, k) && !slices.Contains(otherEnv, k) && !strings.HasPrefix(k, "ORDERLY_TEST_") {
			l.cfg.Warnings = append(l.cfg.Warnings, fmt.Sprintf("the environment variable %s is no setting%s", k, suggest(k, names)))
		}
	}
	slices.Sort(l.cfg.Warnings)
}

// finish fills what follows from other settings and checks them together.
func (l *loader) finish() {
	c := l.cfg
	if c.DB == "" {
		c.DB = "sqlite:" + filepath.Join(c.DataDir, "orderly.db")
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(c.DataDir, "orderly.key")
	}
	if c.ArchiveDir == "" {
		c.ArchiveDir = filepath.Join(c.DataDir, "archive")
	}
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		l.problem(l.where["tls_cert"], "tls_cert needs tls_key as well")
	case c.TLSKey != "" && c.TLSCert == "":
		l.problem(l.where["tls_key"], "tls_key needs tls_cert as well")
	}
	switch {
	case c.OIDCIssuer != "" && c.OIDCClient == "":
		l.problem(l.where["oidc_issuer"], "oidc_issuer needs oidc_client_id as well")
	case c.OIDCIssuer != "" && c.BaseURL == "":
		l.problem(l.where["oidc_issuer"], "oidc_issuer needs base_url as well: where the service sends people back to")
	}
	for _, key := range []string{"db_pooler", "read_db"} {
		if !c.Postgres() && (key == "db_pooler" && c.DBPooler || key == "read_db" && c.ReadDB != "") {
			l.problem(l.where[key], "%s is for PostgreSQL; the database is a SQLite file", key)
		}
	}
	if c.MaxBatchBytes < c.MaxEventBytes {
		l.problem(l.where["max_batch_bytes"], "max_batch_bytes must not be smaller than max_event_bytes")
	}
}

// TLS reports whether the program serves https itself.
func (c *Config) TLS() bool { return c.TLSCert != "" }

// Postgres reports whether the database is a PostgreSQL server.
func (c *Config) Postgres() bool {
	return strings.HasPrefix(c.DB, "postgres://") || strings.HasPrefix(c.DB, "postgresql://")
}

// SQLitePath returns the path of the SQLite file, or "" on PostgreSQL.
func (c *Config) SQLitePath() string {
	if c.Postgres() {
		return ""
	}
	return strings.TrimPrefix(c.DB, "sqlite:")
}

func setDB(c *Config, v string) (err error) {
	c.DB, err = Database(v)
	return err
}

// Database reads the name of a database: a path, sqlite:PATH, sqlite://PATH or a
// postgres:// URL. The result is "sqlite:PATH" or the URL.
func Database(v string) (string, error) {
	v = strings.Replace(v, "sqlite://", "sqlite:", 1)
	scheme, _, ok := strings.Cut(v, "://")
	switch {
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return v, nil
	case ok:
		return "", fmt.Errorf("must be a path, sqlite:PATH or postgres://…, not %s://", scheme)
	case v == "sqlite:":
		return "", fmt.Errorf("names no file after sqlite:")
	case !strings.HasPrefix(v, "sqlite:"):
		return "sqlite:" + v, nil
	}
	return v, nil
}

func setReadDB(c *Config, v string) (err error) {
	if c.ReadDB, err = Database(v); err != nil || strings.HasPrefix(c.ReadDB, "sqlite:") {
		return fmt.Errorf("must be like postgres://user@host/name")
	}
	return nil
}

func setArchiveAfter(c *Config, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 0 && n < 31 {
		return fmt.Errorf("must be a number of days, at least 31, or 0 for never, got %q", v)
	}
	c.ArchiveAfter = n
	return nil
}

func setListen(c *Config, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("must be host:port like 127.0.0.1:8080, got %q", v)
	}
	c.Listen = v
	return nil
}

func setBaseURL(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("must be like https://orders.example.com, without a path, got %q", v)
	}
	c.BaseURL = u.Scheme + "://" + u.Host
	return nil
}

func setIssuer(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost") {
		return fmt.Errorf("must be an https address like https://id.example.com, got %q", v)
	}
	c.OIDCIssuer = v
	return nil
}

func setProxies(c *Config, v string) error {
	c.TrustedProxies = nil
	for _, f := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(f)
		if err != nil {
			a, err := netip.ParseAddr(f)
			if err != nil {
				return fmt.Errorf("must be addresses or networks like 10.0.0.0/8, got %q", f)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		c.TrustedProxies = append(c.TrustedProxies, p.Masked())
	}
	return nil
}

func text(at func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		*at(c) = v
		return nil
	}
}

func yesNo(at func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("must be true or false, got %q", v)
		}
		*at(c) = b
		return nil
	}
}

func oneOf(at func(*Config) *string, allowed ...string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if !slices.Contains(allowed, v) {
			return fmt.Errorf("must be one of %s, got %q", strings.Join(allowed, ", "), v)
		}
		*at(c) = v
		return nil
	}
}

func span(at func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 || d > 24*time.Hour {
			return fmt.Errorf("must be a time like 30s or 2m, got %q", v)
		}
		*at(c) = d
		return nil
	}
}

func size(at func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := ParseSize(v)
		if err != nil {
			return err
		}
		*at(c) = n
		return nil
	}
}

// ParseSize reads bytes: "4096", "64KiB", "1MiB", "1GiB", "2TiB".
func ParseSize(v string) (int64, error) {
	num, unit := v, int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n, ok := strings.CutSuffix(v, suffix); ok {
			num, unit = strings.TrimSpace(n), int64(1)<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n < 1 || n > (1<<46)/unit {
		return 0, fmt.Errorf("must be a size like 4096, 64KiB or 8MiB, got %q", v)
	}
	return n * unit, nil
}

// suggest returns `; did you mean "x"?` for the nearest of names, or "".
func suggest(got string, names []string) string {
	best, dist := "", len(got)/3+1
	for _, n := range names {
		if d := distance(strings.ToLower(got), strings.ToLower(n)); d <= dist {
			best, dist = n, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			prev, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, prev+cost)
		}
	}
	return row[len(b)]
}
