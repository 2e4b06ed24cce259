package engine

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// answerOf is what a called connection answered, as the event that it becomes.
func answerOf(a *attempt) *event.CallAnswered {
	want := a.effect.Payload.Answer
	return &event.CallAnswered{
		Effect: a.effect.ID, Run: want.Run, Order: a.effect.OrderID, Status: int64(a.receipt.Status),
		Values: answerValues(a.receipt.Body, want.Returns),
	}
}

// maxAnswerText bounds a text taken from an answer.
const maxAnswerText = 1000

// answerValues takes the declared fields out of an answer's JSON, as text. What
// is missing or of another type is left out: it is not known then.
func answerValues(body []byte, returns map[string]string) map[string]string {
	var doc map[string]json.RawMessage
	if len(returns) == 0 || json.Unmarshal(body, &doc) != nil {
		return nil
	}
	out := map[string]string{}
	for name, typ := range returns {
		if text, ok := answerValue(doc[name], schema.Type(typ)); ok {
			out[name] = text
		}
	}
	return out
}

func answerValue(raw json.RawMessage, typ schema.Type) (string, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "", false
	}
	switch typ {
	case schema.Int:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return strconv.FormatInt(n, 10), err == nil
	case schema.Bool:
		text := string(raw)
		return text, text == "true" || text == "false"
	}
	var s string
	if json.Unmarshal(raw, &s) != nil || len(s) > maxAnswerText {
		return "", false
	}
	switch typ {
	case schema.Money:
		a, err := money.ParseText(s)
		return a.String(), err == nil
	case schema.Time:
		t, err := time.Parse(time.RFC3339Nano, s)
		return t.UTC().Format(time.RFC3339Nano), err == nil
	}
	return s, true
}
