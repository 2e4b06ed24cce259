package csvfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Limits on one record. A spreadsheet cell holds 32,767 characters at most, so
// anything longer is a broken file rather than data.
const (
	maxRecord = 256 << 10 // bytes
	maxField  = 64 << 10  // bytes
	maxFields = 2_000
)

// record is one row of a file: its fields, or the reason why it has none.
type record struct {
	line   int // physical line (or sheet row) it starts on, from 1
	fields []string
	bad    string // "" when the row was read
}

// rowSource yields the rows of a file, the header among them.
type rowSource interface {
	// next returns the next row that is not blank; io.EOF after the last.
	next() (record, error)
	// expect tells the number of columns once the header is known.
	expect(columns int, pad bool)
	// done returns the bytes of the file consumed so far.
	done() int64
	// notes returns remarks about the reading, counted.
	notes() map[string]int64
	io.Closer
}

// csvReader reads delimiter-separated text by RFC 4180, with what real files
// need beyond it: a quote inside an unquoted field is a plain character, and a
// malformed row costs that one physical line, never the rest of the file.
type csvReader struct {
	r      io.Reader
	closer io.Closer
	count  *countingReader
	buf    []byte
	pos    int // first unread byte of buf
	eof    bool
	line   int // physical line at pos
	delim  byte
	nl     byte // '\n', or '\r' in files of the old Macintosh
	cols   int  // expected columns; 0 before the header
	pad    bool
	utf8   bool // text claims to be UTF-8: a row that is not is read as Windows-1252
	latin  int64
	out    []byte
	ends   []int
}

func newCSVReader(r io.Reader, count *countingReader, delim, nl byte, detect bool, firstLine int) *csvReader {
	return &csvReader{r: r, count: count, delim: delim, nl: nl, utf8: detect, line: firstLine, buf: make([]byte, 0, 64<<10)}
}

func (c *csvReader) expect(columns int, pad bool) { c.cols, c.pad = columns, pad }

func (c *csvReader) done() int64 {
	if c.count == nil {
		return 0
	}
	return c.count.n
}

func (c *csvReader) notes() map[string]int64 {
	if c.latin == 0 {
		return nil
	}
	return map[string]int64{"row is not UTF-8: read as Windows-1252": c.latin}
}

func (c *csvReader) Close() error {
	if c.closer == nil {
		return nil
	}
	return c.closer.Close()
}

// fill reads more behind the unread bytes; it reports whether any came.
func (c *csvReader) fill() (bool, error) {
	if c.eof {
		return false, nil
	}
	if c.pos > 0 {
		c.buf = append(c.buf[:0], c.buf[c.pos:]...)
		c.pos = 0
	}
	if len(c.buf) == cap(c.buf) {
		bigger := make([]byte, len(c.buf), 2*cap(c.buf))
		copy(bigger, c.buf)
		c.buf = bigger
	}
	for range 100 {
		n, err := c.r.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if errors.Is(err, io.EOF) {
			c.eof = true
			return n > 0, nil
		}
		if err != nil {
			return n > 0, err
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, io.ErrNoProgress
}

func (c *csvReader) next() (record, error) {
	for {
		rec, blank, err := c.one()
		if err != nil {
			return rec, err
		}
		if !blank {
			return rec, nil
		}
	}
}

// one reads one record; blank reports an empty line.
func (c *csvReader) one() (rec record, blank bool, err error) {
	need := 0 // bytes at pos known to be too few
	for {
		data := c.buf[c.pos:]
		if len(data) <= need {
			more, err := c.fill()
			if err != nil {
				return record{line: c.line}, false, err
			}
			data = c.buf[c.pos:]
			if len(data) == 0 {
				return record{line: c.line}, false, io.EOF
			}
			if !more && !c.eof {
				continue
			}
		}
		res := c.parse(data)
		switch {
		case res.more && !c.eof && len(data) < maxRecord:
			need = len(data)
			continue
		case res.more:
			// Too long, or the file ends inside quotes. Only this physical line is given up.
			why := "a quote is opened and never closed"
			if !res.quoted {
				why = fmt.Sprintf("the line is longer than %d bytes", maxRecord)
			}
			return c.giveUp(why)
		case res.bad != "":
			return c.giveUp(res.bad)
		}
		rec = record{line: c.line}
		if res.lines > 1 && c.cols > 0 && len(c.ends) != c.cols && !(c.pad && len(c.ends) < c.cols) {
			return c.giveUp(fmt.Sprintf("a quoted field runs over %d lines and leaves %d fields instead of %d", res.lines, len(c.ends), c.cols))
		}
		c.pos += res.n
		c.line += res.lines
		if len(c.ends) == 1 && len(bytes.TrimSpace(c.out)) == 0 {
			return rec, true, nil
		}
		c.finish(&rec)
		return rec, false, nil
	}
}

// finish cuts the parsed bytes into the record's fields: one string for the row.
func (c *csvReader) finish(rec *record) {
	out := c.out
	if bytes.IndexByte(out, 0) >= 0 {
		rec.bad = "contains a NUL byte"
	}
	if c.utf8 && !utf8.Valid(out) {
		c.latin++
		rec.fields = make([]string, len(c.ends))
		start := 0
		for i, e := range c.ends {
			b, _ := charmap.Windows1252.NewDecoder().Bytes(out[start:e]) // never fails: unknown bytes become U+FFFD
			rec.fields[i] = string(b)
			start = e
		}
		return
	}
	s := string(out)
	rec.fields = make([]string, len(c.ends))
	start := 0
	for i, e := range c.ends {
		if e-start > maxField {
			rec.bad = fmt.Sprintf("field %d is longer than %d bytes", i+1, maxField)
		}
		rec.fields[i] = s[start:e]
		start = e
	}
	if len(rec.fields) > maxFields {
		rec.bad = fmt.Sprintf("has more than %d fields", maxFields)
		rec.fields = rec.fields[:maxFields]
	}
}

// giveUp skips the physical line at pos and returns it as malformed, its text in one field.
func (c *csvReader) giveUp(why string) (record, bool, error) {
	rec := record{line: c.line, bad: why}
	var text []byte
	for {
		data := c.buf[c.pos:]
		i := bytes.IndexByte(data, c.nl)
		part := data
		if i >= 0 {
			part = data[:i]
		}
		if len(text) < 4096 {
			text = append(text, part[:min(len(part), 4096)]...)
		}
		if i >= 0 {
			c.pos += i + 1
			break
		}
		c.pos = len(c.buf)
		more, err := c.fill()
		if err != nil {
			return rec, false, err
		}
		if !more && c.eof {
			break
		}
	}
	c.line++
	rec.fields = []string{string(bytes.ToValidUTF8(bytes.TrimRight(text, "\r"), []byte("\uFFFD")))}
	return rec, false, nil
}

type parsed struct {
	n, lines     int
	more, quoted bool
	bad          string
}

// parse reads one record from data into c.out and c.ends.
func (c *csvReader) parse(data []byte) parsed {
	c.out, c.ends = c.out[:0], c.ends[:0]
	i := bytes.IndexByte(data, c.nl)
	if i < 0 && !c.eof {
		return parsed{more: true, quoted: bytes.IndexByte(data, '"') >= 0}
	}
	end, n := i, i+1
	if i < 0 {
		end, n = len(data), len(data)
	}
	if end > maxRecord {
		return parsed{more: true}
	}
	if bytes.IndexByte(data[:end], '"') < 0 {
		row := data[:end]
		if c.nl == '\n' && end > 0 && row[end-1] == '\r' {
			row = row[:end-1]
		}
		for {
			j := bytes.IndexByte(row, c.delim)
			if j < 0 {
				break
			}
			c.out = append(c.out, row[:j]...)
			c.ends = append(c.ends, len(c.out))
			row = row[j+1:]
		}
		c.out = append(c.out, row...)
		c.ends = append(c.ends, len(c.out))
		return parsed{n: n, lines: 1}
	}
	return c.parseQuoted(data)
}

func (c *csvReader) parseQuoted(data []byte) parsed {
	lines, i := 1, 0
	for {
		if i >= len(data) || data[i] != '"' {
			// An unquoted field: up to the delimiter or the line's end, quotes inside are literal.
			for i < len(data) && data[i] != c.delim && data[i] != c.nl {
				c.out = append(c.out, data[i])
				i++
			}
			if i >= len(data) && !c.eof {
				return parsed{more: true}
			}
			atEnd := i >= len(data) || data[i] == c.nl
			if atEnd && c.nl == '\n' && len(c.out) > 0 && c.out[len(c.out)-1] == '\r' && i > 0 && data[i-1] == '\r' {
				c.out = c.out[:len(c.out)-1]
			}
		} else {
			i++
			for {
				j := bytes.IndexByte(data[i:], '"')
				if j < 0 || i+j+1 >= len(data) && !c.eof {
					return parsed{more: true, quoted: true}
				}
				lines += bytes.Count(data[i:i+j], []byte{c.nl})
				c.out = append(c.out, data[i:i+j]...)
				i += j + 1
				if i < len(data) && data[i] == '"' {
					c.out = append(c.out, '"')
					i++
					continue
				}
				break
			}
			if c.nl == '\n' && i < len(data) && data[i] == '\r' {
				if i+1 >= len(data) && !c.eof {
					return parsed{more: true}
				}
				if i+1 >= len(data) || data[i+1] == '\n' {
					i++
				}
			}
			// Blanks between the closing quote and the delimiter are common and harmless.
			for i < len(data) && data[i] == ' ' && c.delim != ' ' {
				i++
			}
			if i >= len(data) && !c.eof {
				return parsed{more: true}
			}
			if i < len(data) && data[i] != c.delim && data[i] != c.nl {
				return parsed{bad: fmt.Sprintf("text follows the closing quote of field %d", len(c.ends)+1)}
			}
		}
		c.ends = append(c.ends, len(c.out))
		if i >= len(data) {
			return parsed{n: i, lines: lines}
		}
		if data[i] == c.nl {
			return parsed{n: i + 1, lines: lines}
		}
		i++
	}
}

// countingReader counts what was read of the file itself, for progress.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
