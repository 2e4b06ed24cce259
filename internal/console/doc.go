// Package console is the web interface: pages rendered on the server for the
// people who run a shop. It reads through store.View and changes nothing by
// itself: every click that matters becomes an event and goes the way of all
// events, through the engine.
//
// A page works without scripts for reading and for acting; scripts add live
// updates, the palette and the keyboard. The look comes from package ui alone.
package console
