package yamltext

import (
	"slices"
	"strconv"
	"strings"
)

// replace puts text in the place of the bytes from, to.
func (d *Doc) replace(from, to int, text string) string { return d.Text[:from] + text + d.Text[to:] }

// check reads an edited text and holds it to what it should mean. dropped is where comments may go.
func (d *Doc) check(text string, want *Node, dropped span) (string, error) {
	got, err := Parse(text)
	if err != nil || !equal(got.Root, want) {
		return "", ErrText
	}
	have := got.commentTexts(span{})
	for _, c := range d.commentTexts(dropped) {
		i := slices.Index(have, c)
		if i < 0 {
			return "", ErrText
		}
		have = slices.Delete(have, i, i+1)
	}
	return text, nil
}

func (d *Doc) commentTexts(without span) []string {
	var out []string
	for _, c := range d.comments {
		if c.from >= without.from && c.to <= without.to {
			continue
		}
		out = append(out, strings.TrimRight(d.Text[c.from:c.to], " "))
	}
	return out
}

// find returns the entry of a path with the collection it is in.
func (d *Doc) find(path string) (parent *Node, e *Entry) {
	parts := split(path)
	if len(parts) == 0 {
		return nil, nil
	}
	parent = d.At(strings.Join(parts[:len(parts)-1], "/"))
	if parent == nil {
		return nil, nil
	}
	return parent, parent.entry(parts[len(parts)-1])
}

// want is the meaning the text shall have: a copy of the tree, changed by f at the parent of path.
func (d *Doc) want(path string, f func(parent *Node, e *Entry)) *Node {
	c := &Doc{Root: d.Root.clone()}
	p, e := c.find(path)
	f(p, e)
	return c.Root
}

// SetText makes a value a text. The entry must exist.
func (d *Doc) SetText(path, value string) (string, error) {
	value = strings.TrimRight(value, "\n")
	p, e := d.find(path)
	if e == nil || e.Value.Kind == Map || e.Value.Kind == List {
		return "", ErrText
	}
	n := e.Value
	if n.Kind == Scalar && n.Value == value {
		return d.Text, nil
	}
	want := d.want(path, func(_ *Node, e *Entry) { e.Value = &Node{Kind: Scalar, Value: value} })
	from, to, lead, comment := n.Start, n.End, "", ""
	if n.Kind == Null {
		from, to, lead = e.colon, e.colon, " "
		if p.flow {
			return "", ErrText
		}
	}
	if !n.comment.empty() {
		comment = d.Text[n.comment.from:n.comment.to]
	}
	was := n.style
	if n.Value == "" { // the quotes of an empty text say nothing about its style
		was = plain
	}
	text := scalar(value, was, n.flow || p.flow, n.parent+2, comment)
	if n.flow {
		text = scalar(value, was, true, 0, "")
	} else if comment != "" {
		// The comment stands behind the mark of a block scalar, else behind the value.
		was := n.style == literal || n.style == folded
		if is := strings.Contains(text, "\n"); was || is {
			to = max(to, n.comment.to)
			if !is {
				text += " " + comment
			}
		} else {
			comment = ""
		}
	}
	out, err := d.check(d.replace(from, to, lead+text), want, span{})
	if err != nil && !n.flow && !p.flow { // some texts fit no other style
		text = doubled(value)
		if comment != "" {
			text += " " + comment
		}
		out, err = d.check(d.replace(from, to, lead+text), want, span{})
	}
	return out, err
}

// Splice puts text in the place of the bytes from, to of a scalar's value, leaving the rest of the
// scalar as it is laid out. A line end in text is where the line may be broken.
func (d *Doc) Splice(path string, from, to int, text string) (string, error) {
	n := d.At(path)
	if n == nil || n.Kind != Scalar || from < 0 || to < from || to > len(n.Value) {
		return "", ErrText
	}
	value := n.Value[:from] + strings.ReplaceAll(text, "\n", " ") + n.Value[to:]
	if out, ok := d.spliced(path, n, from, to, text, value); ok {
		return out, nil
	}
	return d.SetText(path, strings.TrimSpace(value))
}

func (d *Doc) spliced(path string, n *Node, from, to int, text, value string) (string, bool) {
	at, ok := d.places(n)
	if !ok || len(at) == 0 || n.style == single && strings.Contains(text, "'") || n.style == double && strings.ContainsAny(text, `"\`) {
		return "", false
	}
	begin, end := -1, -1
	if from < to && at[from] >= 0 {
		begin = at[from]
	} else { // behind what stands before
		for i := from - 1; i >= 0 && begin < 0; i-- {
			if at[i] >= 0 {
				begin = at[i] + 1
			}
		}
	}
	switch {
	case from == to:
		end = begin
	case at[to-1] >= 0:
		end = at[to-1] + 1
	default:
		for i := to; i < len(at) && end < 0; i++ {
			end = at[i]
		}
	}
	if begin < 0 || end < begin {
		return "", false
	}
	broken := " "
	if !n.flow && n.style != single && n.style != double && strings.Contains(text, "\n") {
		line := strings.LastIndexByte(d.Text[:begin], '\n') + 1
		if begin-line+len(text) > width || n.style == literal || n.style == folded && strings.Contains(d.Text[n.Start:n.End], "\n"+strings.Repeat(" ", max(n.col, 0))) && lines(d.Text[n.Start:n.End]) > 2 {
			indent := n.parent + 2
			if n.style == literal || n.style == folded {
				indent = n.col
			}
			broken = "\n" + strings.Repeat(" ", max(indent, 0))
		}
	}
	out := d.replace(begin, end, strings.ReplaceAll(text, "\n", broken))
	got, err := Parse(out)
	if err != nil {
		return "", false
	}
	m := got.At(path)
	if m == nil || m.Kind != Scalar || squeeze(m.Value) != squeeze(value) {
		return "", false
	}
	want := d.want(path, func(_ *Node, e *Entry) { e.Value = &Node{Kind: Scalar, Value: m.Value} })
	out, err = d.check(out, want, span{})
	return out, err == nil
}

func lines(s string) int { return strings.Count(s, "\n") + 1 }

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// Replace puts a value written as YAML on one line in the place of the value of path.
func (d *Doc) Replace(path, flow string) (string, error) {
	_, e := d.find(path)
	if e == nil {
		return "", ErrText
	}
	value, err := parseFlow(flow)
	if err != nil {
		return "", err
	}
	n := e.Value
	if equal(n, value) {
		return d.Text, nil
	}
	want := d.want(path, func(_ *Node, e *Entry) { e.Value = value })
	if n.Kind == Null {
		return d.check(d.replace(e.colon, e.colon, " "+flow), want, span{})
	}
	if (n.Kind == Map || n.Kind == List) && !n.flow { // a block begins on the line below its key
		remark := strings.TrimSpace(d.Text[e.colon:n.Start])
		if d.Text[e.colon:n.Start] == "" || remark != "" && !strings.HasPrefix(remark, "#") || strings.Contains(remark, "\n") {
			return "", ErrText
		}
		if remark != "" {
			flow += " " + remark
		}
		return d.check(d.replace(e.colon, n.End, " "+flow), want, span{n.Start, e.end})
	}
	return d.check(d.replace(n.Start, n.End, flow), want, span{n.Start, n.End})
}

// parseFlow reads a value written on one line.
func parseFlow(flow string) (*Node, error) {
	doc, err := Parse("v: " + flow + "\n")
	if err != nil || doc.Root.Kind != Map || len(doc.Root.Entries) != 1 {
		return nil, ErrText
	}
	return doc.Root.Entries[0].Value, nil
}

// Put adds a key with a value written as YAML on one line to the map of path, behind the last of the
// keys in after that is there, else at the end. A key that is there has its value replaced.
func (d *Doc) Put(path, key, flow string, after ...string) (string, error) {
	m := d.At(path)
	if m == nil || m.Kind != Map {
		return "", ErrText
	}
	if m.entry(key) != nil {
		return d.Replace(Join(path, key), flow)
	}
	value, err := parseFlow(flow)
	if err != nil {
		return "", err
	}
	at := len(m.Entries)
	if len(after) > 0 {
		at = 0
		for i, e := range m.Entries {
			if slices.Contains(after, e.Key) {
				at = i + 1
			}
		}
	}
	c := &Doc{Root: d.Root.clone()}
	cm := c.At(path)
	cm.Entries = slices.Insert(cm.Entries, at, &Entry{Key: key, Value: value})
	return d.insert(m, at, QuoteKey(key)+": "+flow, c.Root)
}

// Rename gives the entry of a path another key; its value and its place stay.
func (d *Doc) Rename(path, key string) (string, error) {
	p, e := d.find(path)
	if e == nil || p.Kind != Map || p.entry(key) != nil {
		return "", ErrText
	}
	end := e.colon
	if p.flow {
		end = e.Start + len(strings.TrimRight(d.Text[e.Start:e.Value.Start], " \n"))
	}
	if end <= e.Start || d.Text[end-1] != ':' {
		return "", ErrText
	}
	want := d.want(path, func(_ *Node, e *Entry) { e.Key = key })
	return d.check(d.replace(e.Start, end, QuoteKey(key)+":"), want, span{})
}

// Insert adds an item, written as YAML with its dash left out, to the list of path before the item at.
func (d *Doc) Insert(path string, at int, item string) (string, error) {
	l := d.At(path)
	if l == nil || l.Kind != List || at < 0 || at > len(l.Entries) {
		return "", ErrText
	}
	sample, err := Parse("- " + strings.ReplaceAll(item, "\n", "\n  ") + "\n")
	if err != nil || sample.Root.Kind != List {
		return "", ErrText
	}
	c := &Doc{Root: d.Root.clone()}
	if p, e := d.find(path); len(l.Entries) == 0 && e != nil && p.Kind == Map && !p.flow { // [] becomes a list in lines of its own
		pad := "\n" + strings.Repeat(" ", p.col+2)
		c.At(path).Entries = sample.Root.Entries
		head, end := "", l.End
		if rest, _, _ := strings.Cut(d.Text[l.End:], "\n"); strings.HasPrefix(strings.TrimSpace(rest), "#") { // the remark stays beside the key
			head, end = " "+strings.TrimSpace(rest), l.End+len(rest)
		}
		return d.check(d.replace(e.colon, end, head+pad+"- "+strings.ReplaceAll(item, "\n", pad+"  ")), c.Root, span{})
	}
	cl := c.At(path)
	cl.Entries = slices.Insert(cl.Entries, at, sample.Root.Entries[0])
	if !l.flow {
		return d.insert(l, at, "- "+strings.ReplaceAll(item, "\n", "\n  "), c.Root)
	}
	if strings.Contains(item, "\n") {
		return "", ErrText
	}
	if sample.Root.Entries[0].Value.Kind == Map && !sample.Root.Entries[0].Value.flow {
		item = "{ " + item + " }"
	}
	return d.insert(l, at, item, c.Root)
}

// insert writes an entry into a collection.
func (d *Doc) insert(n *Node, at int, text string, want *Node) (string, error) {
	if n.flow {
		switch {
		case len(n.Entries) == 0:
			if n.Kind == Map {
				text = " " + text + " "
			}
			return d.check(d.replace(n.Start+1, n.End-1, text), want, span{})
		case at == 0:
			return d.check(d.replace(n.Entries[0].Start, n.Entries[0].Start, text+", "), want, span{})
		}
		end := n.Entries[at-1].Value.End
		return d.check(d.replace(end, end, ", "+text), want, span{})
	}
	pad := strings.Repeat(" ", n.col)
	text = pad + strings.ReplaceAll(text, "\n", "\n"+pad) + "\n"
	var pos int
	switch {
	case at == 0 && n.Start != n.Entries[0].line+n.col: // the first stands behind a dash
		return "", ErrText
	case at == 0:
		pos = n.Entries[0].lead
	default:
		pos = d.deeper(n.Entries[at-1].end, n.col)
	}
	if pos > 0 && d.Text[pos-1] != '\n' {
		text = "\n" + strings.TrimSuffix(text, "\n")
	}
	return d.check(d.replace(pos, pos, text), want, span{})
}

// deeper steps over the comment lines that are indented further than col: they belong to what stands above.
func (d *Doc) deeper(pos, col int) int {
	for pos < len(d.Text) {
		line, _, _ := strings.Cut(d.Text[pos:], "\n")
		body := strings.TrimLeft(line, " ")
		if !strings.HasPrefix(body, "#") || len(line)-len(body) <= col {
			break
		}
		pos = min(pos+len(line)+1, len(d.Text))
	}
	return pos
}

// Delete removes an entry. An item of a list goes with its comments; those of a key stay, on lines of their own.
func (d *Doc) Delete(path string) (string, error) {
	p, e := d.find(path)
	if e == nil {
		return "", ErrText
	}
	i := slices.Index(p.Entries, e)
	want := d.want(path, func(p *Node, e *Entry) {
		p.Entries = slices.DeleteFunc(p.Entries, func(o *Entry) bool { return o == e })
	})
	if p.flow {
		from, to := e.Start, e.Value.End
		switch {
		case i+1 < len(p.Entries):
			to = p.Entries[i+1].Start
		case i > 0:
			from = p.Entries[i-1].Value.End
		}
		return d.check(d.replace(from, to, ""), want, span{from, to})
	}
	if len(p.Entries) == 1 { // nothing written is not an empty list
		return "", ErrText
	}
	if i == 0 && p.Start != e.line+p.col {
		return "", ErrText
	}
	if p.Kind == List {
		return d.check(d.replace(e.lead, e.end, ""), want, span{e.lead, e.end})
	}
	kept := ""
	for _, c := range d.comments {
		if c.from >= e.line && c.to <= e.end {
			kept += strings.Repeat(" ", p.col) + d.Text[c.from:c.to] + "\n"
		}
	}
	return d.check(d.replace(e.line, e.end, kept), want, span{})
}

// Move takes an item of a list to another place; it stands at index to afterwards.
func (d *Doc) Move(path string, from, to int) (string, error) {
	l := d.At(path)
	if l == nil || l.Kind != List || from < 0 || to < 0 || from >= len(l.Entries) || to >= len(l.Entries) {
		return "", ErrText
	}
	if from == to {
		return d.Text, nil
	}
	want := d.want(Join(path, strconv.Itoa(from)), func(p *Node, e *Entry) {
		p.Entries = slices.Insert(slices.Delete(p.Entries, from, from+1), to, e)
	})
	if l.flow {
		texts := make([]string, len(l.Entries))
		for i, e := range l.Entries {
			texts[i] = d.Text[e.Start:e.Value.End]
		}
		moved := texts[from]
		texts = slices.Insert(slices.Delete(texts, from, from+1), to, moved)
		return d.check(d.replace(l.Entries[0].Start, l.Entries[len(l.Entries)-1].Value.End, strings.Join(texts, ", ")), want, span{})
	}
	first, last := l.Entries[0], l.Entries[len(l.Entries)-1]
	if l.Start != first.line+l.col {
		return "", ErrText
	}
	// Each item takes the lines from its first comment to the next item's; what is between goes with the item above.
	var parts []string
	for i, e := range l.Entries {
		end := last.end
		if i+1 < len(l.Entries) {
			end = l.Entries[i+1].lead
		}
		part := d.Text[e.lead:end]
		if !strings.HasSuffix(part, "\n") {
			part += "\n"
		}
		parts = append(parts, part)
	}
	moved := parts[from]
	parts = slices.Insert(slices.Delete(parts, from, from+1), to, moved)
	block := strings.Join(parts, "")
	if !strings.HasSuffix(d.Text[first.lead:last.end], "\n") {
		block = strings.TrimSuffix(block, "\n")
	}
	return d.check(d.replace(first.lead, last.end, block), want, span{})
}
