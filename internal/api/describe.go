package api

func (a *API) describe() error { return nil }
