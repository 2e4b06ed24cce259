package store

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// TestArraysAreTheDrivers: byte for byte what the driver itself would send.
func TestArraysAreTheDrivers(t *testing.T) {
	theirs, ours := pgtype.NewMap(), pgtype.NewMap()
	arraysInOnePiece(ours)
	for _, c := range []struct {
		oid   uint32
		value any
	}{
		{pgtype.TextArrayOID, []string{"", "a", "Größe, \"x\""}},
		{pgtype.TextArrayOID, []string{}},
		{pgtype.TextArrayOID, []string(nil)},
		{pgtype.Int8ArrayOID, []int64{0, -1, 1 << 60}},
		{pgtype.Int8ArrayOID, []int64{}},
		{pgtype.Int8ArrayOID, []int64(nil)},
		{pgtype.TextArrayOID, "{a,b}"},
	} {
		for _, format := range []int16{pgx.BinaryFormatCode, pgx.TextFormatCode} {
			want, wantErr := theirs.Encode(c.oid, format, c.value, []byte("before"))
			got, err := ours.Encode(c.oid, format, c.value, []byte("before"))
			if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				t.Errorf("%#v in format %d: %x %v, want %x %v", c.value, format, got, err, want, wantErr)
			}
		}
	}
}
