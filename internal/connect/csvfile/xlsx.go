package csvfile

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"orderly.example/orderly/internal/fault"
)

// Limits on a workbook: it is a ZIP archive, and a small one can unpack to terabytes.
const (
	maxSheetBytes = 1 << 30  // unpacked, all parts together
	maxSheetRatio = 200      // unpacked to packed, above a megabyte
	maxSheetParts = 10_000   // files in the archive
	sheetMemory   = 32 << 20 // a part above this is unpacked to a temporary file
)

// xlsxReader streams the rows of one sheet.
type xlsxReader struct {
	book *excelize.File
	rows *excelize.Rows
	file io.Closer
	size int64
	line int
	cols int
}

func openXLSX(file *os.File, size int64, f FileFormat) (rowSource, error) {
	x, err := newXLSX(file, size, f)
	if err != nil {
		return nil, err
	}
	x.file = file
	return x, nil
}

func newXLSX(r io.ReaderAt, size int64, f FileFormat) (_ *xlsxReader, err error) {
	// A hostile workbook must be an error, whatever the library does with it.
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Invalid, "csvfile.xlsx", "the workbook is damaged")
		}
	}()
	zr, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "csvfile.xlsx", "the workbook is damaged: %s", err)
	}
	var unpacked uint64
	for _, p := range zr.File {
		unpacked += p.UncompressedSize64
		if unpacked > maxSheetBytes || len(zr.File) > maxSheetParts ||
			p.UncompressedSize64 > 1<<20 && p.UncompressedSize64 > maxSheetRatio*(p.CompressedSize64+1) {
			return nil, fault.New(fault.Invalid, "csvfile.xlsx", "the workbook unpacks to far more than its size; refused as a likely bomb (save it as CSV if it is genuine)")
		}
	}
	book, err := excelize.OpenReader(io.NewSectionReader(r, 0, size), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: maxSheetBytes, UnzipXMLSizeLimit: sheetMemory,
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "csvfile.xlsx", "cannot read the workbook: %s", err)
	}
	sheet := f.Sheet
	names := book.GetSheetList()
	if sheet == "" && len(names) > 0 {
		sheet = names[0]
	}
	rows, err := book.Rows(sheet)
	if err != nil {
		_ = book.Close() // the error that counts is told
		return nil, fault.Wrap(err, fault.Invalid, "csvfile.xlsx", "no sheet %q; the workbook has: %s", sheet, strings.Join(names, ", "))
	}
	return &xlsxReader{book: book, rows: rows, size: size}, nil
}

func (x *xlsxReader) expect(columns int, _ bool) { x.cols = columns }
func (x *xlsxReader) done() int64                { return 0 }
func (x *xlsxReader) notes() map[string]int64    { return nil }

func (x *xlsxReader) Close() error {
	err := errors.Join(x.rows.Close(), x.book.Close())
	if x.file != nil {
		err = errors.Join(err, x.file.Close())
	}
	return err
}

func (x *xlsxReader) next() (rec record, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Invalid, "csvfile.xlsx", "the workbook is damaged near row %d", x.line)
		}
	}()
	for x.rows.Next() {
		x.line++
		cells, err := x.rows.Columns()
		if err != nil {
			return record{line: x.line}, fault.Wrap(err, fault.Invalid, "csvfile.xlsx", "row %d cannot be read: %s", x.line, err)
		}
		blank := true
		for _, v := range cells {
			if strings.TrimSpace(v) != "" {
				blank = false
				break
			}
		}
		if blank {
			continue
		}
		rec := record{line: x.line, fields: make([]string, max(len(cells), x.cols))}
		if len(cells) > maxFields {
			rec.bad = fmt.Sprintf("has more than %d cells", maxFields)
			rec.fields = rec.fields[:0]
			return rec, nil
		}
		for i, v := range cells {
			if len(v) > maxField {
				rec.bad = fmt.Sprintf("cell %d is longer than %d bytes", i+1, maxField)
				continue
			}
			rec.fields[i] = cleanCell(v)
		}
		return rec, nil
	}
	if err := x.rows.Error(); err != nil {
		return record{}, fault.Wrap(err, fault.Invalid, "csvfile.xlsx", "the sheet cannot be read after row %d: %s", x.line, err)
	}
	return record{}, io.EOF
}

// cleanCell undoes how Excel stores numbers: as binary floats with up to 17
// digits, so that 2.55 may stand in the file as 2.5499999999999998. Fifteen
// digits are what Excel itself shows.
func cleanCell(v string) string {
	if len(v) < 16 && !strings.ContainsAny(v, "eE") {
		return v
	}
	for i := range len(v) {
		if c := v[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return v
		}
	}
	if !strings.ContainsAny(v, ".eE") {
		return v // a long run of digits is a code, not a measurement
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || f > 1e15 || f < -1e15 {
		return v
	}
	s := strconv.FormatFloat(f, 'g', 15, 64)
	if !strings.ContainsAny(s, "eE") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', 12, 64), "0"), ".")
}
