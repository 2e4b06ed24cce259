package risk

// VelocityQuery counts the orders marked under a key in [From, To),
// microseconds UTC. The key is a keyed hash; it tells nothing of the value.
type VelocityQuery struct {
	Key      string
	From, To int64
}
