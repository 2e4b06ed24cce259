// Package store keeps everything Orderly knows, on SQLite or on PostgreSQL, from one SQL text.
//
// [DB.View] and [DB.Update] are the only doors; every function of this package
// that reads or writes takes the [Tx] they hand out. What the two engines do
// differently stands in dialect.go and nowhere else.
//
// The rules that hold for every statement:
//
//   - Update may run its function again after a lost race, so the function
//     touches nothing outside but what it sets anew on every run.
//   - After a failed statement the transaction is over: PostgreSQL refuses
//     everything that follows. Never insert, catch, and go on.
//   - Times are microseconds UTC, 0 for the zero time; money is minor units.
//   - A commit group writes net results in bulk, rows ordered by key, so that two
//     nodes that meet never wait for each other in a circle.
package store
