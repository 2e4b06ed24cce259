package engine

import (
	"context"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/observe"
	"orderly.example/orderly/internal/store"
)

// traced is enqueue with a span around it: from the submission to the answer, which is the commit. The events
// remember the span, so that what they cause minutes later belongs to the same trace.
func (e *Engine) traced(ctx context.Context, s *submission) ([]Outcome, error) {
	first := &s.evs[0].ev
	ctx, span := e.opts.Tracer.Start(ctx, observe.Inside, "decide "+first.Type,
		observe.Attr{Key: "orderly.event.id", Value: first.ID}, observe.Attr{Key: "orderly.event.subject", Value: first.Subject},
		observe.Attr{Key: "orderly.events", Value: strconv.Itoa(len(s.evs))})
	parent := observe.TraceParent(ctx)
	for i := range s.evs {
		s.evs[i].parent = parent
	}
	out, err := e.enqueue(ctx, s)
	span.End(err)
	return out, err
}

// submitted is the event that came through a door, of one that was derived from it.
func submitted(eventID string) string {
	id, _, _ := strings.Cut(eventID, ".")
	return id
}

// parents finds in which traces effects were caused.
func parents(tx *store.Tx, effects []effect.Effect) (map[string]string, error) {
	ids := make([]string, len(effects))
	for i, f := range effects {
		ids[i] = submitted(f.EventID)
	}
	return store.EventTraces(tx, uniq(ids))
}

// spanOf begins the span of an attempt.
func (e *Engine) spanOf(ctx context.Context, f effect.Effect, docs *documents) (context.Context, *observe.Span) {
	if e.opts.Tracer == nil {
		return ctx, nil
	}
	return e.opts.Tracer.Start(observe.ContextWithParent(ctx, docs.parents[submitted(f.EventID)]), observe.Client, "deliver "+string(f.Kind),
		observe.Attr{Key: "orderly.effect.id", Value: f.ID}, observe.Attr{Key: "orderly.event.id", Value: f.EventID},
		observe.Attr{Key: "orderly.destination", Value: f.Destination}, observe.Attr{Key: "orderly.attempt", Value: strconv.Itoa(f.Attempts)})
}
