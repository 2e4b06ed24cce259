// Package yamltext changes a YAML text in place: a value, an entry or an item is
// set, added, moved or removed, and every other byte stays as its author wrote
// it, comments and line breaks included.
//
// It reads the part of YAML that people write by hand: block and flow mappings
// and lists, plain, quoted and block scalars. The meaning of a text is what the
// YAML library says; this package adds where each part stands, and refuses a text
// whose structure the two do not agree on. Every edit is read again before it is
// returned: when the result is not exactly what was asked for, or a comment is
// missing, the edit is refused with [ErrText] and the text stays as it was.
package yamltext
