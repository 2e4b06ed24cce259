package notify

import (
	"fmt"
	"html"
	"strings"
)

// The looks of a message. Mail programs read inline styles; those that know dark mode
// read the style sheet in the head too, which changes colours only. Where neither
// colour scheme is known, the light one stands.
const (
	fontStyle  = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
	textStyle  = "font-size:15px;line-height:24px;color:#27313b"
	mutedStyle = "font-size:13px;line-height:20px;color:#66727e"
	rowStyle   = "padding:10px 0;border-bottom:1px solid #e6e9ec;vertical-align:top"
	sumStyle   = "padding:2px 0;vertical-align:top"
)

// styled gives the plain elements of a template their looks. Only the template's own text
// passes here, never a value; each replacement stays on its line.
var styled = strings.NewReplacer(
	"<h1>", `<h1 class="o-text" style="margin:0 0 16px;font-size:22px;line-height:30px;font-weight:600;color:#27313b">`,
	"<h2>", `<h2 class="o-text" style="margin:28px 0 8px;font-size:15px;line-height:24px;font-weight:600;color:#27313b">`,
	"<p>", `<p class="o-text" style="margin:0 0 16px;`+textStyle+`">`,
	`<p class="muted">`, `<p class="o-muted" style="margin:0 0 16px;`+mutedStyle+`">`,
	"<ul>", `<ul class="o-text" style="margin:0 0 16px;padding:0 0 0 20px;`+textStyle+`">`,
	"<li>", `<li style="margin:0 0 4px">`,
	"<blockquote>", `<blockquote class="o-text o-quote" style="margin:0 0 16px;padding:4px 0 4px 16px;border-left:3px solid #c9d0d6;`+textStyle+`">`,
	"<a href=", `<a class="o-link" style="color:#1b5fae" href=`,
).Replace

const darkSheet = `@media (prefers-color-scheme: dark) {
.o-page{background:#14171a!important}.o-card{background:#1d2125!important;border-color:#2d3339!important}
.o-text{color:#e4e7ea!important}.o-muted{color:#9aa5af!important}.o-row{border-color:#2d3339!important}
.o-link{color:#7fb2ee!important}.o-button{background:#e4e7ea!important;color:#14171a!important}.o-quote{border-color:#4a535c!important}
}`

// frame puts the content of a message into the page all messages share.
func frame(content, subject string, vars map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>%s</title>
<style>:root{color-scheme:light dark}
%s</style>
</head>
<body class="o-page" style="margin:0;padding:0;background:#f3f4f6;%s">
<table role="presentation" class="o-page" width="100%%" cellpadding="0" cellspacing="0" border="0" style="background:#f3f4f6">
<tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="100%%" cellpadding="0" cellspacing="0" border="0" style="max-width:560px">
`, html.EscapeString(subject), darkSheet, fontStyle)
	name, place := shopOf(vars)
	if name != "" {
		fmt.Fprintf(&b, `<tr><td class="o-muted" style="padding:0 4px 12px;%s;font-weight:600">%s</td></tr>
`, mutedStyle, escape(name))
	}
	fmt.Fprintf(&b, `<tr><td class="o-card" style="padding:32px 28px 20px;background:#ffffff;border:1px solid #e6e9ec;border-radius:8px">
%s
</td></tr>
`, strings.TrimSpace(content))
	if len(place) > 0 {
		fmt.Fprintf(&b, `<tr><td class="o-muted" style="padding:16px 4px 0;%s">%s</td></tr>
`, mutedStyle, escape(strings.Join(place, "\n")))
	}
	b.WriteString("</table>\n</td></tr>\n</table>\n</body>\n</html>\n")
	return b.String()
}

// textFooter is the frame of the plain text.
func textFooter(vars map[string]any) string {
	name, place := shopOf(vars)
	if name != "" {
		place = append([]string{name}, place...)
	}
	if len(place) == 0 {
		return ""
	}
	return "\n-- \n" + strings.Join(place, "\n") + "\n"
}

// shopOf is the sender's name, and the lines below a message.
func shopOf(vars map[string]any) (name string, below []string) {
	shop := vars["shop"].(map[string]any)
	for _, l := range shop["address"].([]any) {
		below = append(below, show(l))
	}
	for _, key := range []string{"url", "email"} {
		if v := show(shop[key]); v != "" {
			below = append(below, v)
		}
	}
	return show(shop["name"]), below
}

// drawings are the tags of our own: each draws one part of a message for the text or for the HTML.
var drawings = map[string]func(vars map[string]any, args string, p part) string{
	"lines":   drawLines,
	"totals":  drawTotals,
	"figures": drawFigures,
	"address": drawAddress,
	"button":  drawButton,
}

// table is rows of a left and a right column.
type table struct {
	html bool
	b    strings.Builder
	rows []row
}

type row struct {
	left, below, right, note string
	link                     string
	strong                   bool
	sum                      bool // stands close to its neighbours, without a line
}

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// textWidth is the width of a table in plain text: narrow enough for quoting on a telephone.
const textWidth = 60

func (t *table) String() string {
	if len(t.rows) == 0 {
		return ""
	}
	if !t.html {
		for _, r := range t.rows {
			pad := max(2, textWidth-width(r.left)-width(r.right))
			t.b.WriteString(strings.TrimRight(r.left+strings.Repeat(" ", pad)+r.right, " ") + "\n")
			for _, more := range []string{r.below, r.note, r.link} {
				if more != "" {
					t.b.WriteString("    " + more + "\n")
				}
			}
		}
		return t.b.String()
	}
	t.b.WriteString(`<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 20px;border-collapse:collapse">` + "\n")
	for _, r := range t.rows {
		weight, left, cell := "", escape(r.left), rowStyle
		if r.sum {
			cell = sumStyle
		}
		if r.strong {
			weight = ";font-weight:600"
		}
		if r.link != "" {
			left = `<a class="o-link" style="color:#1b5fae" href="` + escape(r.link) + `">` + left + `</a>`
		}
		fmt.Fprintf(&t.b, `<tr><td class="o-text o-row" style="%s;%s%s">%s`, cell, textStyle, weight, left)
		for _, more := range []string{r.below, r.note} {
			if more != "" {
				fmt.Fprintf(&t.b, `<br><span class="o-muted" style="%s">%s</span>`, mutedStyle, escape(more))
			}
		}
		fmt.Fprintf(&t.b, `</td><td class="o-text o-row" align="right" style="%s;%s%s;padding-left:16px;white-space:nowrap;font-variant-numeric:tabular-nums">%s</td></tr>
`, cell, textStyle, weight, escape(r.right))
	}
	t.b.WriteString("</table>\n")
	return t.b.String()
}

// width is how many columns a text takes; near enough for a table in a mail.
func width(s string) int { return len([]rune(s)) }

func drawLines(vars map[string]any, from string, p part) string {
	of := vars[from].(map[string]any)
	t := &table{html: p == partHTML}
	for _, l := range of["lines"].([]any) {
		m := l.(map[string]any)
		r := row{left: show(m["qty"]) + " × " + show(m["title"]), right: show(m["total"])}
		if show(m["sku"]) != show(m["title"]) {
			r.below = show(m["sku"])
		}
		if price := show(m["price"]); price != "" && show(m["qty"]) != "1" {
			r.note = price + " each"
		}
		t.add(r)
	}
	if n := show(of["more"]); n != "" {
		t.add(row{left: "and " + n + " more lines"})
	}
	return t.String()
}

func drawTotals(vars map[string]any, _ string, p part) string {
	o := vars["order"].(map[string]any)
	t := &table{html: p == partHTML}
	for _, r := range []row{
		{left: "Subtotal", right: show(o["subtotal"])},
		{left: "Shipping", right: show(o["shipping"])},
		{left: "Discount", right: show(o["discount"])},
		{left: "Total", right: show(o["total"]), strong: true},
		{left: "Refunded", right: show(o["refunded"])},
	} {
		if r.right == "" {
			continue
		}
		if r.left == "Discount" {
			r.right = "-" + r.right
		}
		r.sum = true
		t.add(r)
	}
	return t.String()
}

func drawFigures(vars map[string]any, _ string, p part) string {
	t := &table{html: p == partHTML}
	for _, f := range vars["report"].(map[string]any)["figures"].([]any) {
		m := f.(map[string]any)
		t.add(row{left: show(m["label"]), right: show(m["value"]), note: show(m["note"]), link: show(m["link"])})
	}
	return t.String()
}

func drawAddress(vars map[string]any, from string, p part) string {
	var lines []string
	for _, l := range vars[from].(map[string]any)["address"].([]any) {
		lines = append(lines, show(l))
	}
	switch {
	case len(lines) == 0:
		return ""
	case p == partHTML:
		return `<p class="o-text" style="margin:0 0 16px;` + textStyle + `">` + escape(strings.Join(lines, "\n")) + "</p>\n"
	}
	return "    " + strings.Join(lines, "\n    ") + "\n"
}

func drawButton(vars map[string]any, args string, p part) string {
	target, label, ok := buttonArgs(args)
	if !ok {
		return ""
	}
	var at any = vars
	for name := range strings.SplitSeq(target, ".") {
		at = at.(map[string]any)[name]
	}
	to := show(at)
	switch {
	case to == "":
		return "" // no page, no button
	case p == partHTML:
		return `<p style="margin:8px 0 20px"><a class="o-button" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#27313b;color:#ffffff;font-size:15px;line-height:20px;font-weight:600;text-decoration:none" href="` +
			escape(to) + `">` + escape(label) + "</a></p>\n"
	}
	return label + ":\n" + to + "\n"
}
