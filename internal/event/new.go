package event

import "reflect"

// New returns an empty payload of a type, for doors that decode by themselves,
// and false when the type is not known.
func New(typ string) (Payload, bool) {
	t, ok := payloads[typ]
	if !ok {
		return nil, false
	}
	return reflect.New(t).Interface().(Payload), true
}
