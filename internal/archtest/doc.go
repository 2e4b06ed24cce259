// Package archtest is the house plan as a test: which package may know which,
// what pure code must not call, what every package and file owes its reader.
// A failure names the file and line and says why the rule stands.
package archtest
