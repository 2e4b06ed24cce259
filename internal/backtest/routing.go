package backtest

// Routing compares two routings.
type Routing struct{}
