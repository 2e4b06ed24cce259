// Package archive moves what is big in old events out of the database into files, and reads it there.
//
// A month of events becomes one file, 2026-01.ndjson.gz: a JSON object a line, every column of the row, so that the
// file can be read without the program (zcat). It is made of gzip members of some hundred events each, which
// can be read one by one; the manifest says where each begins:
//
//	archive/
//	  manifest.json       per file: events, first and last decided_seq, bytes, SHA-256, where its blocks begin
//	  2026-01.ndjson.gz
//
// Nothing is lost, whatever breaks when:
//
//  1. the file is written under another name, brought to disk, read back whole and compared event by event;
//  2. it gets its name, and the manifest knows it;
//  3. event_archive gets a row: from here on the shop depends on the file;
//  4. facts and trace leave the rows, some hundred a commit, and only where the file, read once more, has
//     exactly what the row has.
//
// A run that was broken off between 1 and 3 writes the file anew; between 3 and the end of 4 it goes on with 4.
package archive
