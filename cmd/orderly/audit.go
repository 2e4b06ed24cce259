package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/fault"
)

// audited says how the audit log calls what a command does. "" only reads; access.Inside
// is recorded by what the command calls. A test holds that every command is here.
var audited = map[string]string{
	"token create": access.Inside, "token list": "", "token revoke": access.Inside,
	"user add": access.Inside, "user list": "", "user reset-password": access.Inside, "user role": access.Inside, "user disable": access.Inside, "user enable": access.Inside,
	"customer export": access.Inside, "customer erase": access.Inside,
	"audit list": "", "audit verify": "", "audit export": "cli.audit_export",
	"connection set": "cli.connection_set", "connection list": "", "connection rotate": "cli.connection_rotate",
	"connection delete": "cli.connection_delete",
	"import locations":  "cli.import", "import orders": "cli.import", "import products": "cli.import", "import stock": "cli.import",
	"data import ip": "cli.data_import", "data import postal": "cli.data_import",
	"check": "", "apply": "cli.apply", "export": "cli.policy_export", "why": "", "suggest": "cli.suggest", "backtest": "",
	"automations list": "", "automations mode": "cli.automation_mode", "automations resume": "cli.automation_resume",
	"automations versions": "", "automations diff": "", "automations rollback": "cli.automation_rollback",
	"templates list": "", "templates show": "", "templates use": "",
	"runs": "", "runs retry": "cli.run_retry",
	"effects list": "", "effects causes": "", "effects show": "", "effects replay": "cli.effects_replay", "events quarantined": "", "events replay": "cli.events_replay",
	"map": "", "watch": "", "bench silence": "", "doctor": "", "migrate": "cli.migrate", "archive": "cli.archive", "backup": "", "restore": "", "bench backtest": "", "bench orders": "", "bench routing": "", "bench server": "", "demo": "", "serve": "", "version": "",
}

// commandLine is who acts at a terminal: whoever the machine says they are.
func commandLine() access.Origin {
	name := "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	return access.Origin{Actor: "cli:" + name, Who: name, From: "command line"}
}

// recordCommand writes what a command did into the audit log. A dry run did nothing.
func (s *shop) recordCommand(cmd *cobra.Command, failed error) error {
	action := audited[strings.TrimPrefix(cmd.CommandPath(), "orderly ")]
	if action == "" || action == access.Inside {
		return nil
	}
	if f := cmd.Flags().Lookup("dry-run"); f != nil && f.Value.String() == "true" {
		return nil
	}
	r := access.Record{Action: action}
	if args := cmd.Flags().Args(); len(args) > 0 {
		r.Subject, r.Detail = args[0], strings.Join(args[1:], " ")
	}
	if failed != nil {
		r.Result = access.Failed
	}
	return s.access.Record(context.WithoutCancel(cmd.Context()), r)
}

const auditHelp = `Who did what to what, when, from where, and with which result: sign-ins, failed
ones, changes of people, tokens, policy, connections and settings, decisions,
replays, exports, erasures, and whatever was refused.

Records are added and never changed: the database refuses it. A running server
seals them every minute into a chain of SHA-256 hashes, whose end bears the seal
of the shop's key. "verify" folds the chain anew and names the first record that
was changed, removed, moved or put in. Who may write to the database and has the
key file can make a whole new chain; against that, note the end that verify
prints in another place, and give it back with --head.`

func (p *program) auditCommand() *cobra.Command {
	var f access.AuditFilter
	var since time.Duration
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List records, newest first", Args: cobra.NoArgs, Long: auditHelp,
		Example: examples("orderly audit list --since 24h", "orderly audit list --who kim@shop.example --result refused", "orderly audit list --action user --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				if since > 0 {
					f.From = p.now().Add(-since)
				}
				rs, err := s.access.Audit(cmd.Context(), f)
				if err != nil {
					return err
				}
				if asJSON {
					out := []auditRow{}
					for _, r := range rs {
						out = append(out, auditRowOf(r))
					}
					return p.printJSON(out)
				}
				var rows [][]string
				for _, r := range rs {
					rows = append(rows, []string{p.second(r.At), firstWord(r.Who, r.Actor, "a stranger"), r.Action, r.Subject, r.Result, r.Origin, r.Detail})
				}
				p.table([]string{"AT", "WHO", "ACTION", "TO WHAT", "RESULT", "FROM", "DETAIL"}, rows)
				return nil
			})
		},
	}
	list.Flags().StringVar(&f.Who, "who", "", "part of the `NAME` or mail address of who did it")
	list.Flags().StringVar(&f.Action, "action", "", "the `ACTION`, or its beginning, like user or task.decide")
	list.Flags().StringVar(&f.Subject, "subject", "", "what it was done to: an order, a task, a mail address")
	list.Flags().StringVar(&f.Result, "result", "", "ok, refused or failed")
	list.Flags().DurationVar(&since, "since", 0, "only the last `TIME`, like 24h")
	list.Flags().IntVar(&f.Limit, "limit", 100, "at most so many `RECORDS`, up to 1000")
	bindJSON(list.Flags(), &asJSON)

	var head string
	verify := &cobra.Command{
		Use: "verify", Short: "Prove that no record was changed, removed, moved or put in", Args: cobra.NoArgs, Long: auditHelp,
		Example: examples("orderly audit verify", "orderly audit verify --head 120:5f3c…"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var known access.Head
			if head != "" {
				var err error
				if known, err = access.ParseHead(head); err != nil {
					return &usageError{err}
				}
			}
			return p.withShop(cmd, false, func(s *shop) error {
				v, err := s.access.VerifyAudit(cmd.Context(), s.sealOf, known)
				if err != nil {
					return err
				}
				if asJSON {
					err = p.printJSON(v)
				} else if v.OK {
					p.printf("%d records are sealed and unchanged; %d wait for the next seal.\nThe end of the chain: %s\n", v.Sealed, v.Unsealed, firstWord(v.Head, "none yet"))
				} else {
					p.printf("Broken: %s.\n%d records before it are as they were sealed.\n", v.Broken, v.Sealed)
				}
				if err == nil && !v.OK {
					err = &exitError{exitFailure}
				}
				return err
			})
		},
	}
	verify.Flags().StringVar(&head, "head", "", "`SEQ:HASH` that was the end of the chain once")
	bindJSON(verify.Flags(), &asJSON)

	export := &cobra.Command{
		Use: "export FILE", Short: "Write the sealed records with their hashes, one JSON object a line", Args: cobra.ExactArgs(1),
		Long: `Write every sealed record in the order of the chain, one JSON object a line, with
its place and hash, so that others can verify it without this program: a hash is
SHA-256 over the fields hash of the line before (empty for the first), seq, id,
at in microseconds since 1970, actor, who, action, subject, origin, result and
detail, each preceded by its length in bytes as eight bytes, big-endian.
FILE is made anew; "-" is standard output.`,
		Example: examples("orderly audit export audit.jsonl"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) (err error) {
				to := p.stdout
				if args[0] != "-" {
					file, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
					if err != nil {
						return fault.Wrap(err, fault.Invalid, "audit.export", "%s cannot be made; it must not exist yet", args[0])
					}
					defer func() {
						if cerr := file.Close(); err == nil {
							err = cerr
						}
					}()
					to = file
				}
				n, err := exportAudit(cmd.Context(), s, to)
				if err == nil && args[0] != "-" {
					p.printf("%d records written to %s.\n", n, args[0])
				}
				return err
			})
		},
	}
	for _, c := range []*cobra.Command{list, verify, export} {
		bindCommon(c.Flags())
	}
	return group(&cobra.Command{Use: "audit", Short: "Who did what, and the proof that nobody changed the record", Long: auditHelp}, list, verify, export)
}

// auditRow is a record in JSON.
type auditRow struct {
	Seq     int64  `json:"seq,omitempty"`
	ID      string `json:"id"`
	At      string `json:"at"`
	Micros  int64  `json:"at_us"`
	Actor   string `json:"actor"`
	Who     string `json:"who"`
	Action  string `json:"action"`
	Subject string `json:"subject"`
	Origin  string `json:"origin"`
	Result  string `json:"result"`
	Detail  string `json:"detail"`
	Hash    string `json:"hash,omitempty"`
}

func auditRowOf(r access.Record) auditRow {
	return auditRow{
		ID: r.ID, At: r.At.UTC().Format(time.RFC3339Nano), Micros: r.At.UnixMicro(), Actor: r.Actor, Who: r.Who, Action: r.Action,
		Subject: r.Subject, Origin: r.Origin, Result: r.Result, Detail: r.Detail,
	}
}

func exportAudit(ctx context.Context, s *shop, to io.Writer) (n int, err error) {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	var werr error
	err = s.access.EachSealed(ctx, func(x access.Sealed) bool {
		row := auditRowOf(x.Record)
		row.Seq, row.ID, row.Hash = x.Seq, x.Link.ID, x.Hash
		if werr = enc.Encode(row); werr == nil {
			n++
		}
		return werr == nil
	})
	if err == nil {
		err = werr
	}
	return n, err
}

func firstWord(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
