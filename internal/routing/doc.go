// Package routing chooses which locations ship an order. [Route] is a pure
// function of the request and the policy: the same input gives the same plan,
// in whatever order the candidates stand.
package routing
