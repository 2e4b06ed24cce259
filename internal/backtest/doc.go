// Package backtest tries automations and routing on the recorded history, with the
// state as it was then.
//
//	event rows in decided_seq order, a chunk at a time
//	  read     one after the other, on one connection
//	  decode   several at once: the events that somebody is asked on
//	  fold     one after the other: what was known before each event
//	  ask      several at once: the conditions on what was stored, else decide.Ask, the code that runs live
//	  report   one after the other
//
// The recorded history is followed: what a candidate would have done changes nothing for
// the events after it. Nothing later than an event is looked at to decide on it;
// how an order really ended (a chargeback) is used to score, when all is done.
//
// How much is folded depends on what the candidates read. Most read the order itself,
// counts and velocities: counts.go keeps those and no order (the light fold). Others
// read the stock or how far an order had come: world.go then keeps the shop's whole
// working set in memory and takes every recorded decision into it (the full fold).
// A fact that was stored with its decision counts more than one that is folded.
package backtest
