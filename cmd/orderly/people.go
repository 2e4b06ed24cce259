package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/store"
)

// secretFrom reads a secret from an environment variable or the first line of
// standard input: never from an argument, which every user of the machine can
// read in the list of processes.
func (p *program) secretFrom(variable, what string) (string, error) {
	if v := p.env(variable); v != "" {
		return v, nil
	}
	line, err := bufio.NewReader(io.LimitReader(p.stdin, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usagef("%s is missing: write it to standard input, or set %s", what, variable)
	}
	return line, nil
}

// withShop opens the shop of a command's settings for fn, and records what the command
// did when it is one of those that change something.
func (p *program) withShop(cmd *cobra.Command, create bool, fn func(*shop) error) error {
	cfg, err := p.settings(cmd)
	if err != nil {
		return err
	}
	s, err := p.openShop(cmd.Context(), cfg, create)
	if err != nil {
		return err
	}
	defer s.close()
	cmd.SetContext(access.WithOrigin(cmd.Context(), commandLine()))
	p.zone = s.zone(cmd.Context())
	err = fn(s)
	return errors.Join(err, s.recordCommand(cmd, err))
}

// zone is the time zone of the shop's people: that of shop.yaml, else UTC.
func (s *shop) zone(ctx context.Context) *time.Location {
	settings := engine.DefaultSettings()
	_ = s.db.View(ctx, func(tx *store.Tx) error { // what cannot be read is told by what the command reads itself
		texts, err := tx.PolicyTexts(engine.KindShop)
		for _, t := range texts {
			if read, err := engine.ParseSettings(t.Name+".yaml", []byte(t.Text)); err == nil {
				settings = read
			}
		}
		return err
	})
	return settings.TimeZone
}

const tokenHelp = `API tokens let programs in: your shop's system that sends events, a report that
reads orders, Prometheus. A token has scopes:
  events:write   submit events of channels and warehouses
  read           read orders, stock and explanations
  admin          both, people's decisions, and /metrics from afar
It is shown once, when it is made; only its hash is stored.`

func (p *program) tokenCommand() *cobra.Command {
	var scopes string
	var days int
	var asJSON bool
	create := &cobra.Command{
		Use: "create NAME", Short: "Make a token and print it, once", Long: tokenHelp, Args: cobra.ExactArgs(1),
		Example: examples("orderly token create my-shop --scopes events:write", "TOKEN=$(orderly token create report --scopes read)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			sc, err := access.ParseScopes(scopes)
			if err != nil {
				return &usageError{err}
			}
			return p.withShop(cmd, true, func(s *shop) error {
				tok, rec, err := s.access.CreateToken(cmd.Context(), access.NewToken{Name: args[0], Scopes: sc, By: "terminal", GoodFor: time.Duration(days) * 24 * time.Hour})
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(map[string]any{"name": rec.Name, "scopes": rec.Scopes, "token": tok})
				}
				p.notef("The token %s (%s). It is not shown again:\n", rec.Name, joinScopes(rec.Scopes))
				p.printf("%s\n", tok)
				return nil
			})
		},
	}
	create.Flags().StringVar(&scopes, "scopes", "", "`SCOPES` separated by commas: events:write, read, admin (required)")
	create.Flags().IntVar(&days, "days", 0, "`DAYS` the token is good for (default: until it is revoked)")
	bindJSON(create.Flags(), &asJSON)

	list := &cobra.Command{
		Use: "list", Short: "List the tokens, without their text", Args: cobra.NoArgs,
		Example: examples("orderly token list", "orderly token list --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				ts, err := s.access.TokenList(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(tokenRows(ts))
				}
				var rows [][]string
				for _, t := range ts {
					rows = append(rows, []string{t.Name, joinScopes(t.Scopes), p.day(t.Created), t.CreatedBy, p.until(t), p.day(t.LastUsed), yes(t.Revoked)})
				}
				p.table([]string{"NAME", "SCOPES", "MADE", "BY", "GOOD UNTIL", "LAST USED", "REVOKED"}, rows)
				return nil
			})
		},
	}
	bindJSON(list.Flags(), &asJSON)

	revoke := &cobra.Command{
		Use: "revoke NAME", Short: "End a token for good", Args: cobra.ExactArgs(1),
		Long:    "End a token for good. A running server notices within a second.",
		Example: examples("orderly token revoke my-shop"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				if err := s.access.RevokeToken(cmd.Context(), args[0]); err != nil {
					return err
				}
				p.printf("The token %s is revoked.\n", args[0])
				return nil
			})
		},
	}
	for _, c := range []*cobra.Command{create, list, revoke} {
		bindCommon(c.Flags())
	}
	return group(&cobra.Command{Use: "token", Short: "Make, list and revoke API tokens", Long: tokenHelp}, create, list, revoke)
}

// tokenRow is a token in JSON.
type tokenRow struct {
	Name      string         `json:"name"`
	Scopes    []access.Scope `json:"scopes"`
	Created   time.Time      `json:"created"`
	CreatedBy string         `json:"created_by"`
	LastUsed  *time.Time     `json:"last_used"`
	Expires   *time.Time     `json:"expires"` // null: never
	Revoked   bool           `json:"revoked"`
}

func tokenRows(ts []access.APIToken) []tokenRow {
	rows := []tokenRow{}
	for _, t := range ts {
		r := tokenRow{Name: t.Name, Scopes: t.Scopes, Created: t.Created, CreatedBy: t.CreatedBy, Revoked: t.Revoked}
		if !t.LastUsed.IsZero() {
			r.LastUsed = &t.LastUsed
		}
		if !t.Expires.IsZero() {
			r.Expires = &t.Expires
		}
		rows = append(rows, r)
	}
	return rows
}

func joinScopes(ss []access.Scope) string {
	var out []string
	for _, s := range ss {
		out = append(out, string(s))
	}
	return strings.Join(out, ",")
}

// day is a moment for people, in the shop's time zone, which it names.
func (p *program) day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return p.local(t).Format("2006-01-02 15:04 MST")
}

// second is a moment for people, as day is, where the order of things counts.
func (p *program) second(t time.Time) string { return p.local(t).Format("2006-01-02 15:04:05 MST") }

func (p *program) local(t time.Time) time.Time { return t.In(p.place()) }

// place is the time zone in which people read times.
func (p *program) place() *time.Location {
	if p.zone == nil {
		return time.UTC
	}
	return p.zone
}

func (p *program) until(t access.APIToken) string {
	if t.Expires.IsZero() {
		return "no end"
	}
	return p.day(t.Expires)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

const userHelp = `People who sign in to the console. Roles, each with all of the one before:
  viewer     sees everything but customers' names and addresses
  agent      works the review queue and single orders
  operator   stock, automations, dead letters
  admin      users, tokens, connections, settings, the audit log
Whoever an automation names as its owner may change that one, whatever the role.
The first user is made with the link that "orderly serve" prints. Passwords have
at least 12 characters; they come from standard input or ORDERLY_PASSWORD.`

func (p *program) userCommand() *cobra.Command {
	var name, role string
	var asJSON bool
	add := &cobra.Command{
		Use: "add EMAIL", Short: "Make a user", Long: userHelp, Args: cobra.ExactArgs(1),
		Example: examples("orderly user add kim@shop.example --role agent --name \"Kim\" < password.txt"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !access.Role(role).Valid() {
				return usagef("unknown role %q; the roles are viewer, agent, operator and admin", role)
			}
			pw, err := p.secretFrom("ORDERLY_PASSWORD", "the password")
			if err != nil {
				return err
			}
			return p.withShop(cmd, true, func(s *shop) error {
				u, err := s.access.AddUser(cmd.Context(), access.NewUser{Email: args[0], Name: name, Password: pw, Role: access.Role(role)})
				if err != nil {
					return err
				}
				p.printf("%s may sign in as %s.\n", u.Email, u.Role)
				us, err := s.access.Users(cmd.Context())
				if err == nil && !slices.ContainsFunc(us, func(u access.User) bool { return u.Role == access.Admin && !u.Disabled }) {
					p.notef("The shop has no admin, so nobody can manage users and connections in the console, and no set-up link is printed any more.\n"+
						"Make one: orderly user role %s admin\n", u.Email)
				}
				return err
			})
		},
	}
	add.Flags().StringVar(&name, "name", "", "`NAME` as shown to others (default: from the mail address)")
	add.Flags().StringVar(&role, "role", "", "`ROLE`: viewer, agent, operator or admin (required)")

	reset := &cobra.Command{
		Use: "reset-password EMAIL", Short: "Set a new password and end the user's sessions", Args: cobra.ExactArgs(1),
		Long:    "Set a new password, from standard input or ORDERLY_PASSWORD, and end the user's sessions.",
		Example: examples("orderly user reset-password kim@shop.example < password.txt"),
		RunE: func(cmd *cobra.Command, args []string) error {
			pw, err := p.secretFrom("ORDERLY_PASSWORD", "the password")
			if err != nil {
				return err
			}
			return p.withShop(cmd, false, func(s *shop) error {
				if err := s.access.ResetPassword(cmd.Context(), args[0], pw); err != nil {
					return err
				}
				p.printf("The password of %s is changed; their sessions have ended.\n", args[0])
				return nil
			})
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List the users", Args: cobra.NoArgs, Example: examples("orderly user list"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				us, err := s.access.Users(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					out := []map[string]any{}
					for _, u := range us {
						out = append(out, map[string]any{"email": u.Email, "name": u.Name, "role": u.Role, "created": u.Created, "disabled": u.Disabled})
					}
					return p.printJSON(out)
				}
				var rows [][]string
				for _, u := range us {
					rows = append(rows, []string{u.Email, u.Name, string(u.Role), p.day(u.Created), yes(u.Disabled)})
				}
				p.table([]string{"EMAIL", "NAME", "ROLE", "MADE", "DISABLED"}, rows)
				return nil
			})
		},
	}
	bindJSON(list.Flags(), &asJSON)
	able := func(use, short, done string, disabled bool) *cobra.Command {
		return &cobra.Command{
			Use: use + " EMAIL", Short: short, Args: cobra.ExactArgs(1),
			Example: examples("orderly user " + use + " kim@shop.example"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return p.withShop(cmd, false, func(s *shop) error {
					if err := s.access.Disable(cmd.Context(), args[0], disabled); err != nil {
						return err
					}
					p.printf("%s %s.\n", args[0], done)
					return nil
				})
			},
		}
	}
	disable := able("disable", "Keep a user from signing in, and end their sessions", "can no longer sign in", true)
	enable := able("enable", "Let a user who was kept out sign in again", "may sign in again", false)
	setRole := &cobra.Command{
		Use: "role EMAIL ROLE", Short: "Give a user another role", Args: cobra.ExactArgs(2),
		Long: userHelp, Example: examples("orderly user role kim@shop.example operator"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				if err := s.access.SetRole(cmd.Context(), args[0], access.Role(args[1])); err != nil {
					return err
				}
				p.printf("%s is now %s.\n", args[0], args[1])
				return nil
			})
		},
	}
	for _, c := range []*cobra.Command{add, list, reset, setRole, disable, enable} {
		bindCommon(c.Flags())
	}
	return group(&cobra.Command{Use: "user", Short: "Make users and reset their passwords", Long: userHelp}, add, list, reset, setRole, disable, enable)
}
