package main

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/api"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

const connectionHelp = `Connections are the shop's ways in and out:
  inbound   another system delivers signed events to POST /hooks/NAME
  webhook   Orderly posts signed documents: fulfilment requests, alerts
  smtp      Orderly sends mail
Webhooks both ways are signed after Standard Webhooks (standardwebhooks.com); the
secret is made here and printed once, unless you bring one. Secrets come from
standard input or the environment, are stored encrypted and never shown again.
shop.yaml says which connection does what (mail, fulfilment, alert). A running
server notices changes within seconds.`

var connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// reservedNames would let a connection speak as one of Orderly's own doors.
var reservedNames = []string{"api", "console", "timer", "engine", "import", "orderly"}

// connectionFlags are the flags of "connection set".
type connectionFlags struct {
	kind        string
	c           connectionConfig
	url         string
	secretStdin bool
}

func (p *program) connectionCommand() *cobra.Command {
	var f connectionFlags
	var asJSON, finish bool
	set := &cobra.Command{
		Use: "set NAME --kind KIND", Short: "Make a connection, or change it", Long: connectionHelp, Args: cobra.ExactArgs(1),
		Example: examples(
			"orderly connection set web-shop --kind inbound",
			"orderly connection set counts --kind inbound --event-type stock.counted",
			"orderly connection set warehouse --kind webhook --url https://wms.example.com/orders",
			"orderly connection set mail --kind smtp --host smtp.example.com --user shop --from 'Shop <orders@shop.example>' --secret-stdin < password.txt"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.setConnection(cmd, args[0], f) },
	}
	fs := set.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.kind, "kind", "", "`KIND`: inbound, webhook or smtp (required for a new one)")
	fs.StringVar(&f.c.EventType, "event-type", "", "inbound: every body is the data of this `TYPE`, like stock.counted")
	fs.StringVar(&f.url, "url", "", "webhook: `URL` to post to; if it holds a key, put it into ORDERLY_CONNECTION_URL instead")
	fs.BoolVar(&f.c.AllowPrivate, "allow-private", false, "webhook: the URL may lie on this machine or in a private network")
	fs.BoolVar(&f.c.AllowHTTP, "allow-http", false, "webhook: plain http to a public address")
	fs.StringVar(&f.c.Host, "host", "", "smtp: `HOST` of the mail server")
	fs.IntVar(&f.c.Port, "port", 0, "smtp: `PORT` (default 587, 465 with --tls tls, 25 with --tls none)")
	fs.StringVar(&f.c.TLS, "tls", "", "smtp: `MODE`: starttls (default), tls or none")
	fs.StringVar(&f.c.User, "user", "", "smtp: `NAME` to sign in with; the password comes from standard input or ORDERLY_SECRET")
	fs.StringVar(&f.c.From, "from", "", "smtp: `ADDRESS` that mails come from, like 'Shop <orders@shop.example>'")
	fs.StringVar(&f.c.ReplyTo, "reply-to", "", "smtp: `ADDRESS` that answers go to")
	fs.BoolVar(&f.secretStdin, "secret-stdin", false, "read the password or signing secret from the first line of standard input")

	list := &cobra.Command{
		Use: "list", Short: "List the connections, without secrets", Args: cobra.NoArgs, Example: examples("orderly connection list"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listConnections(cmd, asJSON) },
	}
	bindJSON(list.Flags(), &asJSON)

	rotate := &cobra.Command{
		Use: "rotate NAME", Short: "Replace a signing secret in two steps", Args: cobra.ExactArgs(1),
		Long: `Replace the signing secret of an inbound or webhook connection without an outage.
First "rotate NAME" makes a second secret and prints it: both are good, so the
other side can change over when it likes. Then "rotate NAME --finish" forgets the
old one.`,
		Example: examples("orderly connection rotate web-shop", "orderly connection rotate web-shop --finish"),
		RunE:    func(cmd *cobra.Command, args []string) error { return p.rotateConnection(cmd, args[0], finish) },
	}
	rotate.Flags().BoolVar(&finish, "finish", false, "forget the old secret")

	remove := &cobra.Command{
		Use: "delete NAME", Short: "Delete a connection and its secrets", Args: cobra.ExactArgs(1),
		Long:    "Delete a connection and its secrets. What waits to leave by it becomes a dead letter.",
		Example: examples("orderly connection delete warehouse"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				err := s.db.Update(cmd.Context(), func(tx *store.Tx) error {
					if _, ok, err := findConnection(tx, args[0]); err != nil || !ok {
						if err == nil {
							err = errNoSuchConnection(args[0])
						}
						return err
					}
					return tx.DeleteConnection(args[0])
				})
				if err == nil {
					p.printf("The connection %s is deleted.\n", args[0])
				}
				return err
			})
		},
	}
	for _, c := range []*cobra.Command{set, list, rotate, remove} {
		bindCommon(c.Flags())
	}
	return group(&cobra.Command{Use: "connection", Short: "Set up the ways in and out: webhooks and mail", Long: connectionHelp}, set, list, rotate, remove)
}

func errNoSuchConnection(name string) error {
	return fault.New(fault.NotFound, "connection", "there is no connection named %q; \"orderly connection list\" lists them", name)
}

func findConnection(tx *store.Tx, name string) (store.Connection, bool, error) {
	rows, err := tx.Connections()
	if err != nil {
		return store.Connection{}, false, err
	}
	i := slices.IndexFunc(rows, func(c store.Connection) bool { return c.Name == name })
	if i < 0 {
		return store.Connection{}, false, nil
	}
	return rows[i], true, nil
}

// setConnection makes or changes a connection. Flags that are left out keep
// what an existing one has.
func (p *program) setConnection(cmd *cobra.Command, name string, f connectionFlags) error {
	if !connectionName.MatchString(name) || slices.Contains(reservedNames, name) {
		return usagef("a connection's name has lower-case letters, digits, - and _, and is none of %s; got %q", strings.Join(reservedNames, ", "), name)
	}
	if f.url == "" {
		f.url = p.env("ORDERLY_CONNECTION_URL")
	}
	brought := p.env("ORDERLY_SECRET")
	if f.secretStdin && brought == "" {
		var err error
		if brought, err = p.secretFrom("ORDERLY_SECRET", "the secret"); err != nil {
			return err
		}
	}
	return p.withShop(cmd, true, func(s *shop) error {
		var made string
		var kind string
		err := s.db.Update(cmd.Context(), func(tx *store.Tx) error {
			made = ""
			old, exists, err := findConnection(tx, name)
			if err != nil {
				return err
			}
			var c connectionConfig
			var sec connectionSecrets
			kind = f.kind
			if exists {
				if kind == "" {
					kind = old.Kind
				}
				if kind != old.Kind {
					return fault.New(fault.Conflict, "connection", "the connection %s is of kind %s; delete it first, or choose another name", name, old.Kind)
				}
				if c, sec, err = readConnection(s.keys, old); err != nil {
					return err
				}
			}
			if made, err = applyFlags(cmd, kind, &f, &c, &sec, brought); err != nil {
				return err
			}
			row, err := writeConnection(s.keys, name, kind, c, sec, tx.Now())
			if err != nil {
				return err
			}
			try := &port{row: row}
			if err := try.make(newPorts(s.db, s.keys, p.now)); err != nil {
				return &usageError{err}
			}
			try.close()
			return tx.PutConnection(row)
		})
		if err != nil {
			return err
		}
		p.notef("The connection %s (%s) is set.\n", name, kind)
		if kind == kindInbound {
			p.notef("Deliver to POST /hooks/%s\n", name)
		}
		if made != "" {
			p.notef("Its signing secret; give it to the other side, it is not shown again:\n")
			p.printf("%s\n", made)
		}
		return nil
	})
}

// applyFlags puts the flags that were given into a connection and returns a
// signing secret that was made for it, if any.
func applyFlags(cmd *cobra.Command, kind string, f *connectionFlags, c *connectionConfig, sec *connectionSecrets, brought string) (made string, err error) {
	allowed := map[string][]string{
		kindInbound: {"event-type"},
		kindWebhook: {"url", "allow-private", "allow-http"},
		kindSMTP:    {"host", "port", "tls", "user", "from", "reply-to"},
	}
	if allowed[kind] == nil {
		return "", usagef("--kind is inbound, webhook or smtp, got %q", kind)
	}
	for k, names := range allowed {
		for _, n := range names {
			if k != kind && cmd.Flags().Changed(n) {
				return "", usagef("--%s is for a connection of kind %s, not %s", n, k, kind)
			}
		}
	}
	pick := func(name string, take func()) {
		if cmd.Flags().Changed(name) {
			take()
		}
	}
	switch kind {
	case kindInbound:
		pick("event-type", func() { c.EventType = f.c.EventType })
		if c.EventType != "" {
			if err := api.HookType(c.EventType); err != nil {
				return "", &usageError{err}
			}
		}
	case kindWebhook:
		pick("allow-private", func() { c.AllowPrivate = f.c.AllowPrivate })
		pick("allow-http", func() { c.AllowHTTP = f.c.AllowHTTP })
		if f.url != "" {
			u, err := url.Parse(f.url)
			if err != nil || u.Host == "" {
				return "", usagef("--url is like https://wms.example.com/orders")
			}
			sec.URL, c.Address = f.url, u.Scheme+"://"+u.Host
		}
		if sec.URL == "" {
			return "", usagef("a webhook needs --url, or ORDERLY_CONNECTION_URL")
		}
	case kindSMTP:
		pick("host", func() { c.Host = f.c.Host })
		pick("port", func() { c.Port = f.c.Port })
		pick("tls", func() { c.TLS = f.c.TLS })
		pick("user", func() { c.User = f.c.User })
		pick("from", func() { c.From = f.c.From })
		pick("reply-to", func() { c.ReplyTo = f.c.ReplyTo })
		if brought != "" {
			sec.Password = brought
		}
		if c.User != "" && sec.Password == "" {
			return "", usagef("--user needs a password: --secret-stdin, or ORDERLY_SECRET")
		}
		return "", nil
	}
	switch {
	case brought != "":
		if err := hook.ParseSecret(connect.Secret(brought)); err != nil {
			return "", &usageError{err}
		}
		sec.Secrets = []string{brought}
	case len(sec.Secrets) == 0:
		made = hook.NewSecret().Reveal()
		sec.Secrets = []string{made}
	}
	return made, nil
}

// connectionLine is a connection in JSON.
type connectionLine struct {
	Name    string           `json:"name"`
	Kind    string           `json:"kind"`
	Config  connectionConfig `json:"config"`
	Secrets int              `json:"secrets"` // signing secrets that are good; 2 while one is replaced
	Updated time.Time        `json:"updated"`
}

func (p *program) listConnections(cmd *cobra.Command, asJSON bool) error {
	return p.withShop(cmd, false, func(s *shop) error {
		var rows []store.Connection
		err := s.db.View(cmd.Context(), func(tx *store.Tx) (err error) {
			rows, err = tx.Connections()
			return err
		})
		if err != nil {
			return err
		}
		lines := []connectionLine{}
		var table [][]string
		for _, row := range rows {
			c, sec, err := readConnection(s.keys, row)
			if err != nil {
				return err
			}
			lines = append(lines, connectionLine{row.Name, row.Kind, c, len(sec.Secrets), row.Updated})
			what := c.EventType
			switch row.Kind {
			case kindWebhook:
				what = c.Address
			case kindSMTP:
				what = c.Host + " from " + c.From
			}
			note := ""
			if len(sec.Secrets) > 1 {
				note = "two secrets: rotate --finish"
			}
			table = append(table, []string{row.Name, row.Kind, what, day(row.Updated), note})
		}
		if asJSON {
			return p.printJSON(lines)
		}
		p.table([]string{"NAME", "KIND", "WHERE", "CHANGED", ""}, table)
		return nil
	})
}

func (p *program) rotateConnection(cmd *cobra.Command, name string, finish bool) error {
	return p.withShop(cmd, false, func(s *shop) error {
		made := ""
		err := s.db.Update(cmd.Context(), func(tx *store.Tx) error {
			row, ok, err := findConnection(tx, name)
			if err != nil {
				return err
			}
			if !ok {
				return errNoSuchConnection(name)
			}
			c, sec, err := readConnection(s.keys, row)
			if err != nil {
				return err
			}
			switch {
			case row.Kind == kindSMTP:
				return usagef("a mail connection has no signing secret; set its password with \"orderly connection set %s --secret-stdin\"", name)
			case finish && len(sec.Secrets) < 2:
				return fault.New(fault.Conflict, "connection", "the connection %s has one secret; nothing to finish", name)
			case finish:
				sec.Secrets = sec.Secrets[:1]
			case len(sec.Secrets) > 1:
				return fault.New(fault.Conflict, "connection", "the connection %s has two secrets already; finish that first", name)
			default:
				made = hook.NewSecret().Reveal()
				sec.Secrets = append([]string{made}, sec.Secrets...)
			}
			row, err = writeConnection(s.keys, name, row.Kind, c, sec, tx.Now())
			if err != nil {
				return err
			}
			return tx.PutConnection(row)
		})
		if err != nil {
			return err
		}
		if finish {
			p.notef("Only the new secret of %s is good now.\n", name)
			return nil
		}
		p.notef("Both secrets of %s are good now. The new one; it is not shown again:\n", name)
		p.printf("%s\n", made)
		return nil
	})
}
