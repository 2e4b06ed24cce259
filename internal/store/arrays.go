package store

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// arraysInOnePiece makes room for a whole array before it is written. A commit group sends some hundred kilobytes in
// arrays, and the driver grows its buffer value by value, copying it each time.
func arraysInOnePiece(m *pgtype.Map) {
	for _, a := range []struct {
		name      string
		oid, elem uint32
		codec     pgtype.Codec
	}{{"_text", pgtype.TextArrayOID, pgtype.TextOID, pgtype.TextCodec{}}, {"_int8", pgtype.Int8ArrayOID, pgtype.Int8OID, pgtype.Int8Codec{}}} {
		elem := &pgtype.Type{Name: a.name[1:], OID: a.elem, Codec: a.codec}
		m.RegisterType(&pgtype.Type{Name: a.name, OID: a.oid, Codec: arrayCodec{&pgtype.ArrayCodec{ElementType: elem}}})
	}
}

// arrayCodec is the driver's, with plans of its own for what we send.
type arrayCodec struct{ *pgtype.ArrayCodec }

// PlanEncode implements pgtype.Codec.
func (c arrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgx.BinaryFormatCode {
		switch value.(type) {
		case []string:
			return textsPlan{}
		case []int64:
			return intsPlan{}
		}
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

// textSize is how many bytes texts take in an array.
func textSize(s []string) (n int) {
	for _, v := range s {
		n += 4 + len(v)
	}
	return n
}

// headSize is how many bytes appendHead adds.
const headSize = 20

// appendHead begins an array of one dimension without NULLs, whose first index is 1.
func appendHead(buf []byte, elem uint32, n int) []byte {
	for _, v := range []uint32{1, 0, elem, uint32(n), 1} {
		buf = binary.BigEndian.AppendUint32(buf, v)
	}
	return buf
}

type textsPlan struct{}

// Encode implements pgtype.EncodePlan.
func (textsPlan) Encode(value any, buf []byte) ([]byte, error) {
	s := value.([]string)
	if s == nil {
		return nil, nil
	}
	buf = appendHead(slices.Grow(buf, headSize+textSize(s)), pgtype.TextOID, len(s))
	for _, v := range s {
		buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(v))), v...)
	}
	return buf, nil
}

type intsPlan struct{}

// Encode implements pgtype.EncodePlan.
func (intsPlan) Encode(value any, buf []byte) ([]byte, error) {
	ns := value.([]int64)
	if ns == nil {
		return nil, nil
	}
	buf = appendHead(slices.Grow(buf, headSize+12*len(ns)), pgtype.Int8OID, len(ns))
	for _, v := range ns {
		buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(buf, 8), uint64(v))
	}
	return buf, nil
}
