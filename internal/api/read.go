package api

// Reader answers the reads.
type Reader interface{}
