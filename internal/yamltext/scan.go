package yamltext

import "strings"

// scanner finds where the parts of a text stand.
type scanner struct {
	src      string
	pos      int
	depth    int
	comments []span
}

// maxDepth bounds nesting; a text of people is nowhere near it.
const maxDepth = 60

// stop is a panic inside the scanner that document turns into ErrText.
type stop struct{}

func (s *scanner) fail() { panic(stop{}) }

func (s *scanner) document() (n *Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(stop); !ok {
				panic(r)
			}
			n, err = nil, ErrText
		}
	}()
	n = s.block(-1, false)
	s.blank()
	if s.pos != len(s.src) || n.Kind == Null {
		s.fail()
	}
	return n, nil
}

func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// lineStart is where the line of a position begins.
func (s *scanner) lineStart(at int) int { return strings.LastIndexByte(s.src[:at], '\n') + 1 }

func (s *scanner) col(at int) int { return at - s.lineStart(at) }

// spaces steps over blanks within a line.
func (s *scanner) spaces() {
	for s.pos < len(s.src) && s.src[s.pos] == ' ' {
		s.pos++
	}
}

// lineRest steps over blanks and a comment up to the line end, which stays. It returns the comment.
func (s *scanner) lineRest() span {
	from := s.pos
	s.spaces()
	var c span
	if s.peek() == '#' && (s.pos > from || s.col(s.pos) == 0 || s.src[s.pos-1] == ' ') {
		c.from = s.pos
		for s.pos < len(s.src) && s.src[s.pos] != '\n' {
			s.pos++
		}
		c.to = s.pos
		s.comments = append(s.comments, c)
	}
	if s.pos < len(s.src) && s.src[s.pos] != '\n' {
		s.fail()
	}
	return c
}

// blank steps over blank and comment lines, to the first character of content. It must be called at a line's begin or end.
func (s *scanner) blank() {
	for s.pos < len(s.src) {
		if s.src[s.pos] == '\n' {
			s.pos++
			continue
		}
		s.spaces()
		switch {
		case s.pos == len(s.src):
			return
		case s.src[s.pos] == '\n':
		case s.src[s.pos] == '#':
			s.lineRest()
		case s.src[s.pos] == '\t':
			s.fail()
		default:
			return
		}
	}
}

// nextLine goes to the content of the next line that has some and returns its column, -1 at the end.
func (s *scanner) nextLine() int {
	s.blank()
	if s.pos >= len(s.src) {
		return -1
	}
	if c := s.col(s.pos); c == 0 && (strings.HasPrefix(s.src[s.pos:], "---") || strings.HasPrefix(s.src[s.pos:], "...")) {
		s.fail()
	}
	return s.col(s.pos)
}

// block reads the value that stands on the lines below a key or dash at column parent.
// A list may stand at the column of its key.
func (s *scanner) block(parent int, inMap bool) *Node {
	back, kept := s.pos, len(s.comments)
	c := s.nextLine()
	if c < 0 || c < parent || c == parent && (!inMap || !s.dash()) {
		s.pos, s.comments = back, s.comments[:kept]
		return &Node{Kind: Null, Start: back, End: back, parent: parent}
	}
	return s.value(parent, true)
}

// dash reports whether a list item begins here.
func (s *scanner) dash() bool {
	return s.peek() == '-' && (s.pos+1 == len(s.src) || s.src[s.pos+1] == ' ' || s.src[s.pos+1] == '\n')
}

// value reads a value that begins at the position. compact says that a block collection may begin here.
func (s *scanner) value(parent int, compact bool) *Node {
	if s.depth++; s.depth > maxDepth {
		s.fail()
	}
	defer func() { s.depth-- }()
	if compact {
		if s.dash() {
			return s.list()
		}
		if s.keyAhead() {
			return s.mapping()
		}
	}
	n := &Node{Kind: Scalar, Start: s.pos, parent: parent}
	switch s.peek() {
	case '{', '[':
		n = s.flow(parent)
	case '|', '>':
		s.blockScalar(n)
		return n
	case '"', '\'':
		s.quoted(n)
	case '&', '*', '!', '%', '@', '`', '?', 0:
		s.fail()
	default:
		s.plainLines(n, parent)
	}
	n.comment = s.lineRest()
	return n
}

// keyAhead reports whether the line has a key here.
func (s *scanner) keyAhead() bool {
	p := *s
	p.comments = nil
	ok := func() (ok bool) {
		defer func() {
			if r := recover(); r != nil {
				if _, is := r.(stop); !is {
					panic(r)
				}
				ok = false
			}
		}()
		line := p.lineStart(p.pos)
		p.key()
		return p.lineStart(p.pos) == line
	}()
	return ok
}

// key reads a key with its colon.
func (s *scanner) key() {
	switch s.peek() {
	case '"', '\'':
		s.quoted(&Node{})
		s.spaces()
	case '{', '[', '&', '*', '!', '|', '>', '%', '@', '`', '?', '#', ',', ']', '}':
		s.fail()
	default:
		for s.pos < len(s.src) && s.src[s.pos] != '\n' && !s.colon() {
			if s.src[s.pos] == '#' && s.pos > 0 && s.src[s.pos-1] == ' ' {
				s.fail()
			}
			s.pos++
		}
	}
	if !s.colon() {
		s.fail()
	}
	s.pos++
}

func (s *scanner) colon() bool {
	return s.peek() == ':' && (s.pos+1 == len(s.src) || strings.IndexByte(" \n", s.src[s.pos+1]) >= 0)
}

// leadOf is where the comment lines directly above a line begin.
func (s *scanner) leadOf(line int) int {
	for line > 0 {
		above := s.lineStart(line - 1)
		if !strings.HasPrefix(strings.TrimLeft(s.src[above:line], " "), "#") {
			break
		}
		line = above
	}
	return line
}

// entry reads a key or dash that was stepped over with what follows.
func (s *scanner) entry(start, c int, inMap bool) *Entry {
	e := &Entry{Start: start, line: s.lineStart(start), colon: s.pos}
	e.lead = s.leadOf(e.line)
	s.spaces()
	if s.pos == len(s.src) || s.src[s.pos] == '\n' || s.src[s.pos] == '#' {
		c0 := s.lineRest()
		e.Value = s.block(c, inMap)
		if e.Value.Kind == Null {
			e.Value.Start, e.Value.End, e.Value.comment = e.colon, e.colon, c0
		}
	} else {
		e.Value = s.value(c, !inMap)
	}
	e.end = s.pos
	if s.pos < len(s.src) && s.src[s.pos] == '\n' {
		e.end++
	}
	return e
}

func (s *scanner) mapping() *Node {
	n := &Node{Kind: Map, Start: s.pos, col: s.col(s.pos)}
	n.parent = n.col
	for {
		start := s.pos
		s.key()
		n.Entries = append(n.Entries, s.entry(start, n.col, true))
		n.End = s.pos
		if !s.another(n.col, false) {
			return n
		}
	}
}

func (s *scanner) list() *Node {
	n := &Node{Kind: List, Start: s.pos, col: s.col(s.pos)}
	n.parent = n.col
	for {
		start := s.pos
		s.pos++
		n.Entries = append(n.Entries, s.entry(start, n.col, false))
		n.End = s.pos
		if !s.another(n.col, true) {
			return n
		}
	}
}

// another goes to the next entry of a block collection at column c; when there is none the position stays.
func (s *scanner) another(c int, list bool) bool {
	back, kept := s.pos, len(s.comments)
	at := s.nextLine()
	if at == c && s.dash() == list {
		return true
	}
	if at > c {
		s.fail()
	}
	s.pos, s.comments = back, s.comments[:kept]
	return false
}

// blockScalar reads | and > with the lines below.
func (s *scanner) blockScalar(n *Node) {
	n.style = literal
	if s.peek() == '>' {
		n.style = folded
	}
	s.pos++
	for s.peek() == '-' || s.peek() == '+' {
		s.pos++
	}
	if c := s.peek(); c >= '0' && c <= '9' {
		s.fail() // an indentation given as a number is rare; it is edited as text
	}
	n.End = s.pos
	n.comment = s.lineRest()
	n.col = -1
	end := s.pos
	for end < len(s.src) {
		from := end + 1
		to := from
		for to < len(s.src) && s.src[to] != '\n' {
			to++
		}
		if from > len(s.src) {
			break
		}
		line := s.src[from:to]
		body := strings.TrimLeft(line, " ")
		if body == "" {
			if to >= len(s.src) {
				break
			}
			end = to
			continue
		}
		indent := len(line) - len(body)
		if body[0] == '\t' && n.col < 0 {
			s.fail()
		}
		if indent <= n.parent || n.col >= 0 && indent < n.col {
			break
		}
		if n.col < 0 {
			n.col = indent
		}
		end = to
		n.End, s.pos = to, to
	}
	if n.col < 0 {
		n.col = max(n.parent, 0) + 2
	}
}

func (s *scanner) quoted(n *Node) {
	q := s.src[s.pos]
	n.style = single
	if q == '"' {
		n.style = double
	}
	for s.pos++; ; s.pos++ {
		if s.pos >= len(s.src) {
			s.fail()
		}
		c := s.src[s.pos]
		switch {
		case c == '\\' && q == '"':
			s.pos++
		case c == q && q == '\'' && s.pos+1 < len(s.src) && s.src[s.pos+1] == q:
			s.pos++
		case c == q:
			s.pos++
			n.End = s.pos
			return
		}
	}
}

// plainLines reads a plain scalar in a block, which may go on over deeper lines.
func (s *scanner) plainLines(n *Node, parent int) {
	s.plainLine(n, false)
	for {
		back := s.pos
		s.spaces()
		if s.pos < len(s.src) && s.src[s.pos] == '#' { // a comment ends it
			s.pos = back
			return
		}
		p := s.pos
		for p < len(s.src) && (s.src[p] == '\n' || s.src[p] == ' ') {
			p++
		}
		if p >= len(s.src) || s.src[p] == '#' || s.col(p) <= parent {
			s.pos = back
			return
		}
		s.pos = p
		if s.src[p] == '\t' || s.keyAhead() {
			s.fail()
		}
		if s.plainLine(n, false); n.End <= p { // nothing of the line belongs to it
			s.fail()
		}
	}
}

// plainLine reads one line of a plain scalar and sets where it ends.
func (s *scanner) plainLine(n *Node, flow bool) {
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		if c == '\n' || c == '#' && s.pos > 0 && s.src[s.pos-1] == ' ' || s.colon() || flow && strings.IndexByte(",[]{}", c) >= 0 {
			break
		}
		if c == '\t' {
			s.fail()
		}
		s.pos++
		if c != ' ' {
			n.End = s.pos
		}
	}
	s.pos = max(n.End, n.Start)
	if s.pos == n.Start {
		s.fail()
	}
}

// space steps over blanks, line ends and comments inside a flow collection.
func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c == '\n':
			s.pos++
		case c == '#' && (s.src[s.pos-1] == ' ' || s.src[s.pos-1] == '\n'):
			s.lineRest()
		default:
			return
		}
	}
}

// flow reads { … } or [ … ].
func (s *scanner) flow(parent int) *Node {
	if s.depth++; s.depth > maxDepth {
		s.fail()
	}
	defer func() { s.depth-- }()
	n := &Node{Kind: Map, Start: s.pos, flow: true, parent: parent}
	shut := byte('}')
	if s.src[s.pos] == '[' {
		n.Kind, shut = List, ']'
	}
	s.pos++
	for {
		s.space()
		if s.peek() == shut {
			s.pos++
			n.End = s.pos
			return n
		}
		e := &Entry{Start: s.pos}
		if n.Kind == Map {
			s.flowKey()
			e.colon = s.pos
			s.space()
		}
		e.Value = s.flowValue(parent)
		n.Entries = append(n.Entries, e)
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case shut:
		default:
			s.fail()
		}
	}
}

func (s *scanner) flowKey() {
	k := &Node{Start: s.pos}
	switch s.peek() {
	case '"', '\'':
		s.quoted(k)
	default:
		s.plainLine(k, true)
	}
	s.spaces()
	if !s.colon() {
		s.fail()
	}
	s.pos++
}

func (s *scanner) flowValue(parent int) *Node {
	n := &Node{Kind: Scalar, Start: s.pos, flow: true, parent: parent}
	switch s.peek() {
	case '{', '[':
		return s.flow(parent)
	case '"', '\'':
		s.quoted(n)
	case '&', '*', '!', '|', '>', '%', '@', '`', '?', '#', 0, ',', '}', ']':
		s.fail()
	default:
		s.plainLine(n, true)
		back := s.pos
		s.space()
		if c := s.peek(); c != ',' && c != '}' && c != ']' {
			s.fail() // a plain text over several lines, or a pair without braces
		}
		if strings.Contains(s.src[back:s.pos], "#") { // the comments are read again by the caller
			s.dropComments(back)
		}
		s.pos = back
	}
	return n
}

// dropComments forgets the comments that were read from a position on.
func (s *scanner) dropComments(from int) {
	for len(s.comments) > 0 && s.comments[len(s.comments)-1].from >= from {
		s.comments = s.comments[:len(s.comments)-1]
	}
}
