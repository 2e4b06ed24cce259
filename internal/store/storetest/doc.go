// Package storetest is the contract of the store: what every engine must do, as
// tests that run on each, and sample data of the size and shape of a busy shop.
package storetest
