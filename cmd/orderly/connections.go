package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
			"orderly connection set web-shop --expect \"1 per day\"",
			"orderly connection set counts --kind inbound --event-type stock.counted",
			"orderly connection set warehouse --kind webhook --url https://wms.example.com/orders",
			"orderly connection set mail --kind smtp --host smtp.example.com --user shop --from 'Shop <orders@shop.example>' --secret-stdin < password.txt",
			"ORDERLY_CONNECTION_URL=https://hooks.slack.com/services/… orderly connection set team-chat --kind chat",
			"orderly connection set on-call --kind on-call --secret-stdin < integration-key.txt"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.setConnection(cmd, args[0], f) },
	}
	fs := set.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.kind, "kind", "", "`KIND`: inbound, webhook, smtp, chat, on-call or heartbeat (required for a new one)")
	fs.StringVar(&f.c.EventType, "event-type", "", "inbound: every body is the data of this `TYPE`, like stock.counted")
	fs.StringVar(&f.c.Expect, "expect", "", "inbound: how often it delivers `AT_LEAST`, like \"1 per day\"; less becomes an incident")
	fs.StringVar(&f.url, "url", "", "all but inbound and smtp: `URL` to call; if it holds a key, put it into ORDERLY_CONNECTION_URL instead")
	fs.BoolVar(&f.c.AllowPrivate, "allow-private", false, "with --url: it may lie on this machine or in a private network")
	fs.BoolVar(&f.c.AllowHTTP, "allow-http", false, "with --url: plain http to a public address")
	fs.StringVar(&f.c.Host, "host", "", "smtp: `HOST` of the mail server")
	fs.IntVar(&f.c.Port, "port", 0, "smtp: `PORT` (default 587, 465 with --tls tls, 25 with --tls none)")
	fs.StringVar(&f.c.TLS, "tls", "", "smtp: `MODE`: starttls (default), tls or none")
	fs.StringVar(&f.c.User, "user", "", "smtp: `NAME` to sign in with; the password comes from standard input or ORDERLY_SECRET")
	fs.StringVar(&f.c.From, "from", "", "smtp: `ADDRESS` that mails come from, like 'Shop <orders@shop.example>'")
	fs.StringVar(&f.c.ReplyTo, "reply-to", "", "smtp: `ADDRESS` that answers go to")
	fs.BoolVar(&f.secretStdin, "secret-stdin", false, "read the password, signing secret or integration key from the first line of standard input")

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
				err := s.deleteConnection(cmd.Context(), args[0])
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

// setConnection makes or changes a connection by flags. Flags that are left out
// keep what an existing one has.
func (p *program) setConnection(cmd *cobra.Command, name string, f connectionFlags) error {
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
		ch := connectionChange{name: name, kind: f.kind, url: f.url, secret: brought, config: func(kind string, c *connectionConfig) error {
			return applyFlags(cmd, kind, &f, c)
		}}
		made, kind, err := s.setConnection(cmd.Context(), ch)
		if err != nil {
			return flagError(err)
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

// flagsOf names the flags that stand for the fields of a connection.
var flagsOf = map[string]string{
	"/name": "NAME", "/kind": "--kind", "/event_type": "--event-type", "/expect": "--expect", "/url": "--url or ORDERLY_CONNECTION_URL",
	"/host": "--host", "/port": "--port", "/tls": "--tls", "/user": "--user", "/from": "--from", "/reply_to": "--reply-to", "/secret": "--secret-stdin or ORDERLY_SECRET",
}

// flagError makes a refusal one of the command line, with its flags for the fields.
func flagError(err error) error {
	fe, ok := errors.AsType[*fault.Error](err)
	if !ok || fe.Kind != fault.Invalid {
		return err
	}
	c := *fe
	c.Problems = slices.Clone(fe.Problems)
	for i, p := range c.Problems {
		if flag := flagsOf[p.Pointer]; flag != "" {
			c.Problems[i].Pointer = flag
		}
	}
	return &usageError{&c}
}

// applyFlags puts the flags that were given into a connection.
func applyFlags(cmd *cobra.Command, kind string, f *connectionFlags, c *connectionConfig) error {
	url := []string{"url", "allow-private", "allow-http"}
	allowed := map[string][]string{
		kindInbound: {"event-type", "expect"}, kindWebhook: url, kindChat: url, kindOnCall: url, kindHeartbeat: url,
		kindSMTP: {"host", "port", "tls", "user", "from", "reply-to"},
	}
	for _, n := range slices.Concat([]string{"event-type", "expect"}, url, allowed[kindSMTP]) {
		if cmd.Flags().Changed(n) && !slices.Contains(allowed[kind], n) {
			var fits []string
			for _, k := range connectionKinds {
				if slices.Contains(allowed[k], n) {
					fits = append(fits, k)
				}
			}
			return usagef("--%s is for a connection of kind %s, not %s", n, strings.Join(fits, " or "), kind)
		}
	}
	for name, take := range map[string]func(){
		"event-type":    func() { c.EventType = f.c.EventType },
		"expect":        func() { c.Expect = f.c.Expect },
		"allow-private": func() { c.AllowPrivate = f.c.AllowPrivate },
		"allow-http":    func() { c.AllowHTTP = f.c.AllowHTTP },
		"host":          func() { c.Host = f.c.Host },
		"port":          func() { c.Port = f.c.Port },
		"tls":           func() { c.TLS = f.c.TLS },
		"user":          func() { c.User = f.c.User },
		"from":          func() { c.From = f.c.From },
		"reply-to":      func() { c.ReplyTo = f.c.ReplyTo },
	} {
		if cmd.Flags().Changed(name) {
			take()
		}
	}
	return nil
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
			case kindWebhook, kindChat, kindOnCall, kindHeartbeat:
				what = c.Address
			case kindSMTP:
				what = c.Host + " from " + c.From
			}
			note := ""
			if c.Expect != "" {
				note = "at least " + c.Expect
			}
			if len(sec.Secrets) > 1 {
				note = strings.TrimPrefix(note+"; two secrets: rotate --finish", "; ")
			}
			table = append(table, []string{row.Name, row.Kind, what, p.day(row.Updated), note})
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
		made, err := s.rotateConnection(cmd.Context(), name, finish)
		if err != nil {
			return flagError(err)
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
