package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

// renewWithin is how long before its end a certificate should have been replaced: what renews itself does so 30 days before.
const renewWithin = 14 * 24 * time.Hour

// certificate is what is known of one.
type certificate struct {
	Of      string // the connection; "" = this server
	Subject string
	Issuer  string
	Until   time.Time
	Problem string // why it is not trusted
}

// certificates expects that the certificates of the connections, and the one this server shows itself, do not end unseen.
func (s *shop) certificates(ps *ports) watch.State {
	return watch.State{
		Name: "certificates", Title: "Certificates are renewed 14 days before they end",
		About: "Of each connection that is encrypted, asked for once a day, and of this server when it answers by https itself.",
		Probe: func(ctx context.Context, ask watch.Ask) (any, error) {
			var last []certificate
			if _, err := ask.Found(&last); err != nil {
				return nil, err
			}
			out, err := ps.certificates(ctx, last)
			if s.own != nil {
				out = append(out, certificateOf("", s.own.Leaf(), nil))
			}
			return out, err
		},
		Look: func(tx *store.Tx, ask watch.Ask) ([]watch.Breach, error) {
			var known []certificate
			if _, err := ask.Found(&known); err != nil {
				return nil, err
			}
			rows, err := tx.Connections()
			there := map[string]bool{"": true}
			for _, row := range rows {
				there[row.Name] = true
			}
			var out []watch.Breach
			for _, c := range known {
				if there[c.Of] && (c.Problem != "" || c.Until.Sub(ask.Now) < renewWithin) {
					out = append(out, c.breach(ask))
				}
			}
			return out, err
		},
	}
}

func (c certificate) breach(ask watch.Ask) watch.Breach {
	now, end := ask.Now, ask.Local(c.Until)
	of, subject := "of "+c.Of, "certificates:"+c.Of
	next := "Ask who runs the other side to renew it. Orderly asks for it every hour; the incident is over when a new one is shown."
	if c.Of == "" {
		of, subject = "of this server", "certificates:this-server"
		next = "Put the renewed certificate in the place of the files tls_cert and tls_key, and the server shows it from then on."
	}
	until := end.Format("2006-01-02 15:04 MST")
	b := watch.Breach{
		Subject: subject, Title: "The certificate " + of + " ends on " + end.Format(time.DateOnly), Since: c.Until.Add(-renewWithin), Next: next,
		Detail:   "It is good until " + until + "; from then on nothing goes by this connection",
		Evidence: []string{"for " + c.Subject, "issued by " + c.Issuer, "not after " + until},
	}
	if c.Of != "" && (c.Problem != "" || c.Until.Before(now)) {
		b.Root, b.Symptoms = true, []string{event.DestinationSubject(c.Of)} // that nothing arrives there is its doing
	}
	switch {
	case c.Until.Before(now):
		b.Title, b.Detail = "The certificate "+of+" has ended", "It was good until "+until+", and nothing goes by this connection any more"
	case c.Problem != "":
		b.Title, b.Since, b.Detail = "The certificate "+of+" is not trusted", now, c.Problem
	}
	return b
}

func certificateOf(of string, x *x509.Certificate, problem error) certificate {
	c := certificate{Of: of, Subject: strings.Join(x.DNSNames, ", "), Issuer: x.Issuer.CommonName, Until: x.NotAfter}
	if c.Subject == "" {
		c.Subject = firstWord(x.Subject.CommonName, fmt.Sprint(x.IPAddresses))
	}
	if c.Issuer == "" {
		c.Issuer = strings.Join(x.Issuer.Organization, ", ")
	}
	if problem != nil {
		c.Problem = connect.Reason(problem)
	}
	return c
}

// certificates asks every connection that leads out for its certificate, a few at a time. Of one that cannot be reached what was known last is
// still known: that it cannot be reached is noticed elsewhere.
func (ps *ports) certificates(ctx context.Context, last []certificate) ([]certificate, error) {
	var rows []store.Connection
	err := ps.db.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Connections()
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make([]*certificate, len(rows))
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, row := range rows {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			x, err := ps.certificate(ctx, row.Name)
			if x != nil {
				c := certificateOf(row.Name, x, err)
				found[i] = &c
				return
			}
			for _, c := range last {
				if err != nil && c.Of == row.Name {
					found[i] = &c
				}
			}
		})
	}
	wg.Wait()
	out := []certificate{}
	for _, c := range found {
		if c != nil {
			out = append(out, *c)
		}
	}
	return out, nil
}

// certificate is the one that a connection's other side shows; nil where nothing leaves or nothing is encrypted.
func (ps *ports) certificate(ctx context.Context, name string) (*x509.Certificate, error) {
	p, err := ps.get(ctx, name, connectionKinds...)
	if err != nil {
		return nil, err
	}
	var adapter any
	switch p.row.Kind {
	case kindSMTP:
		adapter = p.mailer
	case kindWebhook, kindChat, kindOnCall:
		adapter = p.poster
	case kindHeartbeat:
		adapter = p.heart
	}
	if c, ok := adapter.(connect.Certified); ok {
		return c.Certificate(ctx)
	}
	return nil, nil
}
