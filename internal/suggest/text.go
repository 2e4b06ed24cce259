package suggest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/money"
)

// stepOf is what an automation does about orders that people would decide so. Never
// more than to let go of, or to stop and ask: money and suppliers stay with people.
func stepOf(outcome string) string {
	if outcome == Approve {
		return "release"
	}
	return "hold"
}

// said is a decision in the past tense, for sentences.
func said(outcome string) string {
	switch outcome {
	case Approve:
		return "approved"
	case Reject:
		return "rejected"
	}
	return "decided " + outcome
}

// show writes a value of the column as a condition does.
func (c *column) show(x int64) string {
	switch c.kind {
	case durations:
		return `duration("` + hours(time.Duration(x)) + `")`
	case amounts:
		return `money("` + decimal(x, c.currency) + `", "` + c.currency + `")`
	}
	return strconv.FormatInt(x, 10)
}

// decimal is an amount without a fraction of zeros.
func decimal(minor int64, currency string) string {
	d := money.New(minor, currency).Decimal()
	if whole, frac, ok := strings.Cut(d, "."); ok && strings.Trim(frac, "0") == "" {
		return whole
	}
	return d
}

// hours writes a duration in whole hours, or in minutes below one.
func hours(d time.Duration) string {
	if d < time.Hour {
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return strconv.Itoa(int(d/time.Hour)) + "h"
}

// long writes a duration for people.
func long(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	switch {
	case d > 24*time.Hour && d%(24*time.Hour) == 0:
		n, unit = int(d/(24*time.Hour)), "day"
	case d >= time.Hour:
		n, unit = int(d/time.Hour), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}

// compare is the literal "at least" or "below" a threshold as a condition.
func (c *column) compare(s side, at int64, show string) string {
	op, loop := " >= ", "exists"
	if s == below {
		op, loop = " < ", "all"
	}
	switch {
	case c.name == mostUnits:
		return "order.lines." + loop + "(l, l.qty" + op + show + ")"
	case c.name == dearest:
		return "order.lines." + loop + "(l, l.unit_price" + op + show + ")"
	case s == below && at == 1 && c.kind == numbers:
		op, show = " == ", "0"
	}
	if c.velocity.Event != "" {
		return fmt.Sprintf("velocity(%q, %q, %q)%s%s", c.velocity.Event, c.velocity.By, hours(c.velocity.Within), op, show)
	}
	return c.name + op + show
}

// compareWords is the same in words.
func (c *column) compareWords(s side, at int64) string {
	var v string
	switch c.kind {
	case amounts:
		v = decimal(at, c.currency) + " " + c.currency
	case durations:
		v = long(time.Duration(at))
		if c.name == "customer.account_age" {
			if s == below {
				return "an account younger than " + v
			}
			return "an account at least " + v + " old"
		}
	default:
		v = strconv.FormatInt(at, 10)
	}
	if one, many := countWords(c); one != "" {
		switch {
		case s == below && at == 1:
			return "no " + one
		case s == below:
			return "fewer than " + v + " " + many
		case at == 1:
			return "at least one " + one
		}
		return "at least " + v + " " + many
	}
	what := fieldWords(c.name)
	if s == below {
		return what + " below " + v
	}
	return what + " of at least " + v
}

var dimensionWords = map[string]string{
	"customer.email": "with the same mail address", "customer.id": "of the same customer", "order.address": "to the same address",
	"order.device": "from the same device", "order.ip": "from the same IP address",
}

// counted are the facts whose words follow a number, for one and for many.
var counted = map[string][2]string{
	"order.units": {"unit", "units"}, "order.line_count": {"line", "lines"}, "customer.orders": {"earlier order of the customer", "earlier orders of the customer"},
	"customer.cancelled": {"cancelled order of the customer", "cancelled orders of the customer"},
	"customer.returns":   {"return of the customer", "returns of the customer"}, mostUnits: {"unit on one line", "units on one line"},
}

func countWords(c *column) (one, many string) {
	if by := c.velocity.By; by != "" {
		rest := " " + dimensionWords[by] + " within " + long(c.velocity.Within)
		return "earlier order" + rest, "earlier orders" + rest
	}
	w := counted[c.name]
	return w[0], w[1]
}

var fieldText = map[string]string{
	"order.total": "a total", "order.subtotal": "goods", "order.shipping_cost": "a shipping cost", "order.discount": "a discount",
	"order.channel": "the channel", "order.currency": "the currency",
	"order.payment": "the payment", "order.payment_method": "the payment method", "order.service": "the shipping service",
	"order.shipping.country": "the shipping country", "order.shipping.region": "the shipping region", "order.shipping.city": "the shipping city",
	"order.shipping.postal": "the shipping postal code", "order.billing.country": "the billing country", "order.billing.region": "the billing region",
	"order.billing.city": "the billing city", "order.billing.postal": "the billing postal code", "ip.country": "an IP address in",
	"customer.spent": "earlier spending", "customer.account_age": "an account age",
	"customer.email_domain": "the mail domain", dearest: "a unit price",
}

func fieldWords(name string) string {
	if w, ok := fieldText[name]; ok {
		return w
	}
	return name
}

// flagWords are a yes-or-no fact in words, for yes and for no.
func flagWords(name string) (yes, no string) {
	switch name {
	case "order.addresses_differ":
		return "two different addresses", "one address for bill and parcel"
	case "order.countries_differ":
		return "bill and parcel in two countries", "bill and parcel in one country"
	case "customer.email_disposable":
		return "a throw-away mail address", "a lasting mail address"
	case "ip.known":
		return "a known IP address", "no known IP address"
	case "ip.country != order.shipping.country":
		return "an IP address of another country than the parcel's", "an IP address of the parcel's country"
	case "ip.country != order.billing.country":
		return "an IP address of another country than the bill's", "an IP address of the bill's country"
	}
	return name, "not " + name
}

func tagOwner(fact string) string { return strings.TrimSuffix(fact, ".tags") }

// slugOf is a part of the automation's name.
func slugOf(name string, s side, value string) string {
	word := map[string][2]string{
		"order.total": {"large", "small"}, "order.subtotal": {"large", "small"}, "customer.account_age": {"old-account", "new-account"},
		"customer.orders": {"returning-customer", "few-orders"}, "customer.spent": {"spent-much", "spent-little"},
		"order.addresses_differ": {"two-addresses", "one-address"}, "order.countries_differ": {"two-countries", "one-country"},
		"customer.email_disposable": {"throw-away-mail", "lasting-mail"}, "ip.known": {"known-ip", "unknown-ip"},
		"ip.country != order.shipping.country": {"far-ip", "near-ip"}, "ip.country != order.billing.country": {"far-ip", "near-ip"},
		mostUnits: {"many-of-one", "few-of-each"}, dearest: {"dear-goods", "cheap-goods"}, "order.units": {"many-units", "few-units"},
	}
	if w, ok := word[name]; ok && s != equal {
		return w[s]
	}
	if strings.HasPrefix(name, "velocity(") {
		_, by, _ := strings.Cut(value, ".")
		return [...]string{"busy-", "quiet-"}[s] + slug(by)
	}
	_, last, _ := strings.Cut(name, ".")
	last = slug(last)
	switch s {
	case above:
		return "high-" + last
	case below:
		if value != "" {
			return "other-than-" + slug(value)
		}
		return "low-" + last
	}
	return slug(value)
}

// slug makes a text fit for a name: lower-case words joined by dashes.
func slug(s string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
			dash = false
		} else {
			dash = true
		}
		if b.Len() >= 24 {
			break
		}
	}
	return b.String()
}

// word puts the pattern into words.
func (s *Suggestion) word(o Options) {
	var words, slugs []string
	for _, l := range s.parts {
		s.Terms, words, slugs = append(s.Terms, l.text), append(words, l.words), append(slugs, l.slug)
		if l.warn != "" {
			s.Warnings = append(s.Warnings, l.warn)
		}
	}
	s.When, s.Pattern = strings.Join(s.Terms, " && "), strings.Join(words, " and ")
	s.Name = strings.Trim(s.Step+"-"+strings.Join(slugs, "-"), "-")
	if len(s.Name) > 60 {
		s.Name = strings.Trim(s.Name[:60], "-")
	}
	how, others := "your reviewers "+said(s.Outcome), "reviews"
	if o.Labels {
		s.did, others = "bad", "orders"
		if s.Outcome == Approve {
			s.did = "good"
		}
		s.Sentence = fmt.Sprintf("Of %d orders with %s, %d were %s.", s.All.Cases, s.Pattern, s.All.Agreed, s.did)
	} else {
		s.did = said(s.Outcome)
		s.Sentence = fmt.Sprintf("In %d of %d cases with %s %s.", s.All.Agreed, s.All.Cases, s.Pattern, how)
	}
	s.Why = fmt.Sprintf("%s Of the other %s it is %d of %d.", s.Sentence, others, s.Others.Agreed, s.Others.Cases)
	if s.Reviewers == 1 && !o.Labels {
		s.Warnings = append(s.Warnings, "all of these were decided by one person")
	}
	if s.Lately.Rate() < o.Agreement && s.Lately.Cases >= 5 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("of the newest third only %d of %d were %s", s.Lately.Agreed, s.Lately.Cases, s.did))
	}
}

// nameApart gives suggestions of one name a number.
func nameApart(ss []*Suggestion) {
	seen := map[string]int{}
	for _, s := range ss {
		seen[s.Name]++
		if n := seen[s.Name]; n > 1 {
			s.Name += "-" + strconv.Itoa(n)
		}
	}
}

// Text is the automation as YAML, as a draft that does nothing until a person
// switches it on. The owner is who accepts it.
func (s *Suggestion) Text(owner string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "automation: %s\nowner: %s\nwhy: %s\non: %s\nwhen: >-\n", s.Name, owner, strconv.Quote(s.Why), trigger)
	for i, p := range s.Terms {
		if i < len(s.Terms)-1 {
			p += " &&"
		}
		fmt.Fprintf(&b, "  %s\n", p)
	}
	b.WriteString("do:\n")
	if s.Step == "release" {
		b.WriteString("  - release: {}\n")
	} else {
		queue := s.Queue
		if queue == "" {
			queue = "risk"
		}
		fmt.Fprintf(&b, "  - hold: { queue: %s, sla: 4h, reason: %s }\n", queue, strconv.Quote(s.Pattern+": "+s.reason()))
	}
	fmt.Fprintf(&b, "limits: { per_hour: %d }\nmode: draft\n", s.limit())
	return b.String()
}

func (s *Suggestion) reason() string {
	return fmt.Sprintf("%d of %d such orders were %s", s.All.Agreed, s.All.Cases, s.did)
}

// limit is three times the busiest hour there was: what goes beyond it is not what was learnt from.
func (s *Suggestion) limit() int { return max(10, 3*s.PerHour) }
