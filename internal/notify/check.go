package notify

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/osteele/liquid/parser"

	"orderly.example/orderly/internal/fault"
)

// part of a message: what a template text is written for.
type part uint8

const (
	partSubject part = iota
	partText
	partHTML
)

// checker reads one part of a template: it allows the small part of Liquid that is
// bounded, checks every name, and writes the source that the engine compiles.
type checker struct {
	file     string
	part     part
	problems []fault.Problem
	scopes   []scope
	loops    int
	out      strings.Builder
}

// scope is a block with the names that are known inside it.
type scope struct {
	tag   string
	line  int
	names map[string]*variable
}

// maxLoops is how deep loops may stand in each other.
const maxLoops = 2

// maxDepth is how deep blocks may stand in each other.
const maxDepth = 30

func (c *checker) problem(line int, format string, args ...any) {
	if len(c.problems) < 20 {
		c.problems = append(c.problems, fault.Problem{Pointer: fmt.Sprintf("%s:%d", c.file, line), Message: fmt.Sprintf(format, args...)})
	}
}

var (
	assignment = regexp.MustCompile(`^([A-Za-z_][\w-]*)\s*=\s*(.+)$`)
	loopHead   = regexp.MustCompile(`^([A-Za-z_][\w-]*)\s+in\s+([\w.?\[\]-]+)((?:\s+reversed|\s+limit:\s*\d{1,6}|\s+offset:\s*\d{1,6})*)$`)
)

// tagNames are the tags that may stand in a template, for proposals.
var tagNames = []string{
	"if", "elsif", "else", "endif", "unless", "endunless", "case", "when", "endcase", "for", "endfor", "break", "continue",
	"assign", "comment", "endcomment", "raw", "endraw", "lines", "totals", "figures", "address", "button",
}

// refusedTags are Liquid's own tags that are not allowed, with the reason.
var refusedTags = map[string]string{
	"include": "a template cannot read other files", "render": "a template cannot read other files", "layout": "a template cannot read other files",
	"section": "a template cannot read other files", "capture": "use assign with the filters append and prepend",
	"tablerow": "use for, or {% lines %}", "cycle": "use forloop.index", "increment": "use assign", "decrement": "use assign", "javascript": "a mail runs no script",
}

// check reads a part that begins at the line of its file and returns the source to compile.
func (c *checker) check(src string, firstLine int) string {
	c.scopes = []scope{{tag: "", names: map[string]*variable{}}}
	verbatim := "" // inside comment or raw: the end tag
	for _, t := range parser.Scan(src, parser.SourceLoc{LineNo: firstLine}, nil) {
		line := t.SourceLoc.LineNo
		if verbatim != "" {
			if t.Type == parser.TagTokenType && t.Name == verbatim {
				verbatim = ""
			}
			c.out.WriteString(t.Source)
			continue
		}
		switch t.Type {
		case parser.TextTokenType:
			for _, open := range []string{"{{", "{%"} {
				if i := strings.Index(t.Source, open); i >= 0 {
					c.problem(line+strings.Count(t.Source[:i], "\n"), "%s is not closed; a tag begins and ends on one line", open)
				}
			}
			if c.part == partHTML {
				c.out.WriteString(styled(t.Source))
			} else {
				c.out.WriteString(t.Source)
			}
		case parser.ObjTokenType:
			c.object(line, t)
		case parser.TagTokenType:
			if t.Name == "comment" || t.Name == "raw" {
				verbatim = "end" + t.Name
				c.out.WriteString(t.Source)
				continue
			}
			c.tag(line, t)
		}
	}
	if verbatim != "" {
		c.problem(firstLine+strings.Count(src, "\n"), "{%% %s %%} is missing", verbatim)
	}
	for _, s := range c.scopes[1:] {
		c.problem(s.line, "{%% %s %%} is not closed by {%% end%s %%}", s.tag, s.tag)
	}
	return c.out.String()
}

// dashes are the marks that strip space around a tag.
func dashes(source string) (left, right string) {
	if source[2] == '-' {
		left = "-"
	}
	if source[len(source)-3] == '-' {
		right = "-"
	}
	return left, right
}

// object rewrites {{ x }} so that every value passes the one writer, which escapes and refuses groups.
func (c *checker) object(line int, t parser.Token) {
	v := c.checkExpression(line, t.Args)
	switch v.shape {
	case group:
		c.problem(line, "%s is a group; write one of its parts: %s", t.Args, strings.Join(keys(v.fields), ", "))
	case list:
		if v.elem.shape == group {
			c.problem(line, "%s is a list; write {%% for x in %s %%}", t.Args, t.Args)
		}
	}
	left, right := dashes(t.Source)
	fmt.Fprintf(&c.out, "{{%s (%s) | %s %s}}", left, t.Args, outFilter, right)
}

func (c *checker) tag(line int, t parser.Token) {
	args := strings.TrimSpace(t.Args)
	source := t.Source
	inner := &c.scopes[len(c.scopes)-1]
	switch t.Name {
	case "if", "unless", "case":
		c.checkExpression(line, args)
		c.open(line, t.Name)
	case "elsif", "when":
		c.checkExpression(line, args)
		c.within(line, t.Name)
	case "else":
		c.within(line, t.Name)
	case "for":
		source += c.loop(line, args)
	case "endif", "endunless", "endcase", "endfor":
		want := strings.TrimPrefix(t.Name, "end")
		if inner.tag != want {
			c.problem(line, "{%% %s %%} closes nothing%s", t.Name, openTag(*inner))
			break
		}
		if want == "for" {
			c.loops--
		}
		c.scopes = c.scopes[:len(c.scopes)-1]
	case "break", "continue":
		if c.loops == 0 {
			c.problem(line, "{%% %s %%} stands in no loop", t.Name)
		}
	case "assign":
		m := assignment.FindStringSubmatch(args)
		switch {
		case m == nil:
			c.problem(line, "write {%% assign name = value %%}")
		case root[m[1]] != nil || words[m[1]] || m[1] == "forloop" || strings.HasPrefix(m[1], "__"):
			c.problem(line, "the name %q is taken; assign another", m[1])
		default:
			// Names live to the end of the template in Liquid, whatever block they are made in.
			c.scopes[0].names[m[1]] = c.checkExpression(line, m[2])
		}
	case "lines", "totals", "figures", "address", "button":
		c.blockTag(line, t.Name, args)
	default:
		if why, ok := refusedTags[t.Name]; ok {
			c.problem(line, "{%% %s %%} is not allowed: %s", t.Name, why)
		} else {
			c.problem(line, "there is no tag %q%s", t.Name, didYouMean(t.Name, append([]string(nil), tagNames...)))
		}
	}
	c.out.WriteString(source)
}

func (c *checker) open(line int, tag string) {
	if len(c.scopes) > maxDepth {
		c.problem(line, "blocks stand more than %d deep in each other", maxDepth)
	}
	c.scopes = append(c.scopes, scope{tag: tag, line: line, names: map[string]*variable{}})
}

func openTag(s scope) string {
	if s.tag == "" {
		return ""
	}
	return fmt.Sprintf("; {%% %s %%} of line %d is open", s.tag, s.line)
}

// within checks that a branch stands in a block that has such branches.
func (c *checker) within(line int, name string) {
	inner := c.scopes[len(c.scopes)-1]
	ok := map[string]string{"elsif": "if", "when": "case", "else": "if unless case for"}[name]
	if inner.tag == "" || !strings.Contains(" "+ok+" ", " "+inner.tag+" ") {
		c.problem(line, "{%% %s %%} stands in no %s%s", name, strings.ReplaceAll(ok, " ", ", "), openTag(inner))
	}
}

// loop checks a for and returns the tick that counts its rounds.
func (c *checker) loop(line int, args string) string {
	m := loopHead.FindStringSubmatch(args)
	elem := &variable{shape: opaque}
	name := "item"
	switch {
	case strings.Contains(args, ".."):
		c.problem(line, "a range (a..b) cannot be used here; loop over a list")
	case m == nil:
		c.problem(line, "write {%% for x in order.lines %%}; limit: and offset: take numbers")
	default:
		name = m[1]
		if root[name] != nil || words[name] || name == "forloop" || strings.HasPrefix(name, "__") {
			c.problem(line, "the name %q is taken; choose another for the loop", name)
		}
		switch v := c.checkExpression(line, m[2]); v.shape {
		case list:
			elem = v.elem
		case opaque:
			// An assigned list, or a name already reported.
		default:
			c.problem(line, "%s is no list", m[2])
		}
	}
	if c.loops++; c.loops > maxLoops {
		c.problem(line, "loops stand more than %d deep in each other", maxLoops)
	}
	c.open(line, "for")
	inner := &c.scopes[len(c.scopes)-1]
	inner.names[name], inner.names["forloop"] = elem, forloop
	return "{% " + tickTag + " %}"
}

// blockTag checks the tags of our own, which draw a whole part of a message.
func (c *checker) blockTag(line int, name, args string) {
	if c.part == partSubject {
		c.problem(line, "{%% %s %%} cannot stand in a subject", name)
	}
	switch name {
	case "lines":
		if args != "order" && args != "shipment" {
			c.problem(line, "write {%% lines order %%} or {%% lines shipment %%}")
		}
	case "address":
		if args != "order" && args != "shop" {
			c.problem(line, "write {%% address order %%} or {%% address shop %%}")
		}
	case "button":
		if _, _, ok := buttonArgs(args); !ok {
			c.problem(line, "write {%% button link, \"Open it\" %%} with one of %s", strings.Join(buttonTargets, ", "))
		}
	default:
		if args != "" {
			c.problem(line, "{%% %s %%} takes nothing", name)
		}
	}
}

// buttonTargets are the web addresses a button may lead to.
var buttonTargets = []string{"link", "order.url", "shipment.url", "shop.url"}

func buttonArgs(args string) (target, label string, ok bool) {
	target, label, ok = strings.Cut(args, ",")
	target, label = strings.TrimSpace(target), strings.TrimSpace(label)
	if !ok || len(label) < 3 || label[0] != '"' || strings.IndexByte(label[1:], '"') != len(label)-2 {
		return "", "", false
	}
	for _, t := range buttonTargets {
		if t == target {
			return target, label[1 : len(label)-1], true
		}
	}
	return "", "", false
}
