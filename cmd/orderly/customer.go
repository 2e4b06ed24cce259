package main

import (
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/privacy"
)

const customerHelp = `What is kept of a customer, for the day they ask. REF is their mail address, a
customer id (cus_…), or one of their orders (channel:number or ord_…).

"export" writes all of it as one JSON document. "erase" destroys it: their key
and every sealed copy, the words under which they are found, the counts that
recognise them, and their name, addresses, phone number and own words in every
text about their orders. Orders, money and stock stay, without a name. It is
refused while an order of theirs is on its way, and cannot be undone.

What the program cannot reach stays yours to delete: backups from before,
exported files, files of rejected import lines, and mail that was sent.`

func (p *program) customerCommand() *cobra.Command {
	var asJSON, sure bool
	export := &cobra.Command{
		Use: "export REF FILE", Short: "Write all that is kept of a customer as one JSON document", Args: cobra.ExactArgs(2), Long: customerHelp,
		Example: examples("orderly customer export buyer@example.com buyer.json", "orderly customer export web:1001 -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) (err error) {
				office := s.privacy()
				id, err := office.Find(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				var to io.Writer = p.stdout
				if args[1] != "-" {
					file, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
					if err != nil {
						return fault.Wrap(err, fault.Invalid, "customer.export", "%s cannot be made; it must not exist yet", args[1])
					}
					defer func() {
						if cerr := file.Close(); err == nil {
							err = cerr
						}
					}()
					to = file
				}
				doc, err := office.Export(cmd.Context(), id)
				if err != nil {
					return err
				}
				enc := json.NewEncoder(to)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				if err := enc.Encode(doc); err != nil || args[1] == "-" {
					return err
				}
				p.printf("All that is kept of %s stands in %s: %d orders, %d events.\n", id, args[1], len(doc.List), len(doc.Told))
				return nil
			})
		},
	}
	erase := &cobra.Command{
		Use: "erase REF", Short: "Destroy what says who a customer is; orders, money and stock stay", Args: cobra.ExactArgs(1), Long: customerHelp,
		Example: examples("orderly customer erase buyer@example.com --yes"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !sure {
				return usagef("an erasure cannot be undone; say --yes when you are sure")
			}
			return p.withShop(cmd, false, func(s *shop) error {
				office := s.privacy()
				id, err := office.Find(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				res, err := office.Erase(cmd.Context(), id)
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(res)
				}
				p.printf("%s is erased. %d orders stay without a name; %d texts were changed.\n", id, res.Orders, res.Texts)
				for _, l := range res.Left {
					p.printf("  %d rows of %s.%s still hold something of theirs: look whether it is about them.\n", l.Rows, l.Table, l.Column)
				}
				return nil
			})
		},
	}
	erase.Flags().BoolVar(&sure, "yes", false, "erase without asking again")
	bindJSON(erase.Flags(), &asJSON)
	for _, c := range []*cobra.Command{export, erase} {
		bindCommon(c.Flags())
	}
	return group(&cobra.Command{Use: "customer", Short: "Give out or erase what is kept of a customer", Long: customerHelp}, export, erase)
}

// privacy is where personal data is given out and erased.
func (s *shop) privacy() *privacy.Office {
	return &privacy.Office{DB: s.db, Keys: s.keys, Audit: s.access}
}
