// Package access says who may do what: people with a password, a role and a
// session; programs with a token and scopes. It keeps no state of its own
// beyond caches: everything stands in the Store.
//
// Passwords are argon2id in PHC form, tokens, sessions and the one-time set-up
// link are stored as hashes, and sign-in answers alike, and as slowly, whether
// the account does not exist or the password is wrong.
package access
