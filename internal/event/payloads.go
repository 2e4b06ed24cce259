package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"orderly.example/orderly/internal/fault"
)

var payloads = register(
	(*OrderPlaced)(nil), (*OrderPaid)(nil), (*OrderCancelled)(nil), (*OrderCompleted)(nil),
	(*OrderHoldRequested)(nil), (*OrderReleaseRequested)(nil), (*OrderRerouteRequested)(nil),
	(*OrderAccepted)(nil), (*OrderReady)(nil), (*OrderUnfillable)(nil),
	(*ReturnReceived)(nil), (*PaymentDisputed)(nil),
	(*ShipmentLabelled)(nil), (*ShipmentShipped)(nil), (*ShipmentScanned)(nil), (*ShipmentDelivered)(nil), (*ShipmentRejected)(nil),
	(*StockReceived)(nil), (*StockCounted)(nil), (*StockAdjusted)(nil), (*StockTransferred)(nil), (*StockLow)(nil),
	(*TaskDecided)(nil), (*TaskAssigned)(nil), (*TaskOverdue)(nil),
	(*EffectFailed)(nil), (*DayEnded)(nil),
	(*IncidentRaised)(nil), (*IncidentRecovered)(nil), (*IncidentAcknowledged)(nil), (*IncidentSnoozed)(nil), (*IncidentUnanswered)(nil), (*AlertsTested)(nil),
	(*ScheduleDue)(nil), (*AbsenceDue)(nil), (*RunDue)(nil), (*RunRetried)(nil), (*CallAnswered)(nil),
	(*AutomationStopped)(nil), (*AutomationResumed)(nil), (*AutomationChanged)(nil), (*AutomationReported)(nil),
)

// jsonProblem turns an encoding/json error into one that points at the field.
func jsonProblem(err error) error {
	e := fault.New(fault.Invalid, "event.Decode", "the JSON is not valid: %s", err)
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		e.Message = "the JSON does not fit the event type"
		e.Problems = []fault.Problem{{
			Pointer: "/" + strings.ReplaceAll(te.Field, ".", "/"),
			Message: fmt.Sprintf("expected %s, got a JSON %s", te.Type, te.Value),
		}}
	}
	return e
}
