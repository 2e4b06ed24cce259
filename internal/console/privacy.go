package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/privacy"
)

// PrivacyOffice gives out and erases what is kept of a customer; privacy.Office implements it.
type PrivacyOffice interface {
	Find(ctx context.Context, ref string) (string, error)
	Export(ctx context.Context, customerID string) (*privacy.Document, error)
	Erase(ctx context.Context, customerID string) (*privacy.Erasure, error)
}

// exportCustomer gives out all that is kept of the customer of an order.
func (c *Console) exportCustomer(w http.ResponseWriter, r *http.Request) error {
	id, err := c.Privacy.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	doc, err := c.Privacy.Export(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+id+`.json"`)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(doc) // the reader has gone if this fails
	return nil
}

// eraseWord is what a person types to show that they mean it.
const eraseWord = "erase"

// eraseCustomer destroys what says who the customer of an order is.
func (c *Console) eraseCustomer(w http.ResponseWriter, r *http.Request) error {
	order := r.PathValue("id")
	if !strings.EqualFold(strings.TrimSpace(r.PostFormValue("word")), eraseWord) {
		return fault.New(fault.Invalid, "console.eraseCustomer", "type the word %s to show that you mean it", eraseWord)
	}
	id, err := c.Privacy.Find(r.Context(), order)
	if err != nil {
		return err
	}
	res, err := c.Privacy.Erase(r.Context(), id)
	if err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done, Text: "The customer is erased: " + ui.Plural(int64(res.Orders), "order stays", "orders stay") + " without a name."}
	for _, l := range res.Left {
		f.Meaning = ui.Attention
		f.Text += " " + ui.Plural(l.Rows, "row", "rows") + " of " + l.Table + "." + l.Column + " may still hold something of theirs."
	}
	return c.back(w, r, "/orders/"+pathEscape(order), f)
}
