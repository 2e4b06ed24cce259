package csvfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"orderly.example/orderly/internal/fault"
)

// maxUnpacked bounds what a compressed file may grow to: a few kilobytes can
// otherwise become a day of reading.
const maxUnpacked = 8 << 30

// FileFormat says how the text of a file is written. The zero value detects
// everything.
type FileFormat struct {
	Delimiter string // ",", ";", "|" or a tab; "" = detect
	Encoding  string // utf-8, utf-16, windows-1252, iso-8859-1, iso-8859-15; "" = detect
	HeaderRow int    // which non-blank row holds the column names, from 1; 0 = 1
	Sheet     string // of an XLSX file; "" = the first
	Ragged    string // "reject" (default): a row with fewer fields than the header is refused; "pad": the rest is empty
}

// openRows opens a file and returns its rows and its size in bytes.
func openRows(path string, f FileFormat) (rowSource, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		kind := fault.Invalid
		if errors.Is(err, os.ErrNotExist) {
			kind = fault.NotFound
		}
		return nil, 0, fault.Wrap(err, kind, "csvfile.open", "cannot open %s: %s", path, pathCause(err))
	}
	st, err := file.Stat()
	if err == nil && st.IsDir() {
		err = errors.New("it is a folder")
	}
	if err != nil {
		_ = file.Close() // the error that counts is told
		return nil, 0, fault.Wrap(err, fault.Invalid, "csvfile.open", "cannot read %s: %s", path, pathCause(err))
	}
	head := make([]byte, 4)
	n, _ := io.ReadFull(file, head)
	head = head[:n]
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		_ = file.Close() // the error that counts is told
		return nil, 0, fault.Wrap(err, fault.Invalid, "csvfile.open", "cannot read %s twice: it must be a file, not a pipe", path)
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		src, err := openXLSX(file, st.Size(), f)
		if err != nil {
			_ = file.Close() // the error that counts is told
		}
		return src, st.Size(), err
	}
	if bytes.HasPrefix(head, []byte{0xd0, 0xcf, 0x11, 0xe0}) {
		_ = file.Close() // the error that counts is told
		return nil, 0, fault.New(fault.Invalid, "csvfile.open", "%s is an old Excel file (.xls) or is protected by a password; save it as .xlsx or CSV", path)
	}
	src, err := newTextRows(file, bytes.HasPrefix(head, []byte{0x1f, 0x8b}), f)
	if err != nil {
		_ = file.Close() // the error that counts is told
		return nil, 0, err
	}
	src.closer = file
	return src, st.Size(), nil
}

func pathCause(err error) string {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// newTextRows detects what the format leaves open and returns a reader of the text.
func newTextRows(r io.Reader, gz bool, f FileFormat) (*csvReader, error) {
	count := &countingReader{r: r}
	var text io.Reader = count
	if gz {
		zr, err := gzip.NewReader(bufio.NewReaderSize(count, 64<<10))
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "csvfile.open", "the gzip file is damaged: %s", err)
		}
		text = &unpackLimit{r: zr, left: maxUnpacked}
	}
	br := bufio.NewReaderSize(text, 128<<10)
	sample, err := br.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(err, fault.Invalid, "csvfile.open", "cannot read the file: %s", err)
	}
	enc, detect, skip, err := chooseEncoding(f.Encoding, sample)
	if err != nil {
		return nil, err
	}
	if _, err := br.Discard(skip); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "csvfile.open", "cannot read the file: %s", err)
	}
	if enc != nil {
		br = bufio.NewReaderSize(transform.NewReader(br, enc.NewDecoder()), 128<<10)
	}
	if sample, err = br.Peek(64 << 10); err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(err, fault.Invalid, "csvfile.open", "cannot read the file: %s", err)
	}
	nl := byte('\n')
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		nl = '\r'
	}
	line := 1
	var delim byte
	switch f.Delimiter {
	case "":
		// Excel's own hint: a first line "sep=;".
		if i := bytes.IndexByte(sample, nl); i >= 0 && len(bytes.TrimRight(sample[:i], "\r")) == 5 && strings.EqualFold(string(sample[:4]), "sep=") {
			delim = sample[4]
			line = 2
			_, _ = br.Discard(i + 1)
		} else {
			delim = sniffDelimiter(sample, nl)
		}
	case "tab", `\t`:
		delim = '\t'
	default:
		delim = f.Delimiter[0]
		if len(f.Delimiter) != 1 || delim == '"' || delim == '\n' || delim == '\r' {
			return nil, fault.New(fault.Invalid, "csvfile.open", "the delimiter must be one character such as , ; | or tab, got %q", f.Delimiter)
		}
	}
	return newCSVReader(br, count, delim, nl, detect, line), nil
}

type unpackLimit struct {
	r    io.Reader
	left int64
}

func (u *unpackLimit) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, fault.New(fault.Invalid, "csvfile.open", "the compressed file unpacks to more than %d GB; split it", maxUnpacked>>30)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault.Wrap(err, fault.Invalid, "csvfile.open", "the gzip file is damaged or cut off: %s", err)
	}
	return n, err
}

// chooseEncoding returns the encoding to decode from (nil: the bytes are UTF-8),
// whether rows that are not valid UTF-8 fall back to Windows-1252, and the
// length of the byte-order mark.
func chooseEncoding(name string, sample []byte) (enc encoding.Encoding, detect bool, bom int, err error) {
	switch {
	case bytes.HasPrefix(sample, []byte{0xef, 0xbb, 0xbf}):
		bom = 3
	case bytes.HasPrefix(sample, []byte{0xff, 0xfe}), bytes.HasPrefix(sample, []byte{0xfe, 0xff}):
		bom = 2
	}
	switch strings.ToLower(strings.ReplaceAll(name, "_", "-")) {
	case "", "auto":
		switch {
		case bom == 2 && sample[0] == 0xff:
			return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), false, 2, nil
		case bom == 2:
			return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), false, 2, nil
		case bom == 0:
			if e := guessUTF16(sample); e != nil {
				return e, false, 0, nil
			}
		}
		return nil, true, bom, nil
	case "utf-8", "utf8":
		if bom == 2 {
			bom = 0
		}
		return nil, false, bom, nil
	case "utf-16", "utf16", "utf-16le", "utf-16be":
		order := unicode.LittleEndian
		if strings.HasSuffix(strings.ToLower(name), "be") || bom == 2 && sample[0] == 0xfe {
			order = unicode.BigEndian
		}
		if bom == 3 {
			bom = 0
		}
		return unicode.UTF16(order, unicode.IgnoreBOM), false, bom, nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252, false, 0, nil
	case "iso-8859-1", "latin1":
		return charmap.ISO8859_1, false, 0, nil
	case "iso-8859-15", "latin9":
		return charmap.ISO8859_15, false, 0, nil
	}
	return nil, false, 0, fault.New(fault.Invalid, "csvfile.open",
		"unknown encoding %q; known: auto, utf-8, utf-16, windows-1252, iso-8859-1, iso-8859-15", name)
}

// guessUTF16 recognises UTF-16 without a mark: text in Latin letters has a zero in every other byte.
func guessUTF16(sample []byte) encoding.Encoding {
	n := min(len(sample), 4096) &^ 1
	if n < 8 || utf8.Valid(sample[:n]) && bytes.IndexByte(sample[:n], 0) < 0 {
		return nil
	}
	var even, odd int
	for i := 0; i < n; i += 2 {
		if sample[i] == 0 {
			even++
		}
		if sample[i+1] == 0 {
			odd++
		}
	}
	switch {
	case odd > n/2*7/10 && even < n/20:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case even > n/2*7/10 && odd < n/20:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// sniffDelimiter picks the delimiter that gives the most rows the header's
// number of fields; among equals, the one with more fields.
func sniffDelimiter(sample []byte, nl byte) byte {
	best, bestScore := byte(','), 0
	for _, d := range []byte{',', ';', '\t', '|'} {
		r := newCSVReader(bytes.NewReader(sample), nil, d, nl, false, 1)
		first, same, rows := 0, 0, 0
		for rows < 200 {
			rec, err := r.next()
			if err != nil {
				break
			}
			if rec.bad != "" {
				rows++
				continue
			}
			if first == 0 {
				first = len(rec.fields)
			}
			if len(rec.fields) == first {
				same++
			}
			rows++
		}
		if first < 2 || rows == 0 {
			continue
		}
		score := same*1000/rows*100 + min(first, 99)
		if score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}
