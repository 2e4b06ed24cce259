package console

import (
	"context"
	"fmt"
	"time"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/task"
)

// How tasks are told: kinds, states, deadlines, and the decisions they offer.

func taskKind(k task.Kind) string {
	switch k {
	case task.Unfillable:
		return "Unfillable"
	case task.General:
		return "Task"
	}
	return title(string(k))
}

func taskMeaning(t task.Task) ui.Meaning {
	switch {
	case t.State == task.Decided:
		return ui.Done
	case t.State == task.Closed:
		return ui.Neutral
	case t.State == task.Asked:
		return ui.Attention
	case t.Kind == task.Incident || t.Kind == task.Unfillable:
		return ui.Danger
	}
	return ui.Held
}

func taskState(t task.Task) string {
	switch t.State {
	case task.Asked:
		return "Asked the customer"
	case task.Decided:
		return "Decided"
	case task.Closed:
		return "Closed"
	}
	return "Open"
}

func firstReason(t task.Task) string {
	if len(t.Reasons) > 0 {
		return t.Reasons[0].Text
	}
	return t.Title
}

func slaClass(ctx context.Context, due time.Time) string {
	switch left := due.Sub(ui.Now(ctx)); {
	case left < 0:
		return "late"
	case left < time.Hour:
		return "soon"
	}
	return ""
}

func slaText(ctx context.Context, due time.Time) string {
	left := due.Sub(ui.Now(ctx))
	if left < 0 {
		return slaSpan(-left) + " late"
	}
	return slaSpan(left) + " left"
}

func slaSpan(d time.Duration) string {
	h, m := int(d.Hours()), int(d.Minutes())%60
	switch {
	case h >= 48:
		return fmt.Sprintf("%d d", h/24)
	case h > 0:
		return fmt.Sprintf("%d h %02d min", h, m)
	}
	return fmt.Sprintf("%d min", m)
}

func decidedText(t task.Task) string {
	if t.State == task.Closed {
		return "Closed: it was no longer needed."
	}
	s := "Decided: " + title(t.Outcome)
	if t.By != "" {
		s += " by " + t.By
	}
	if t.Note != "" {
		s += ", «" + t.Note + "»"
	}
	return s + "."
}

func needsNote(o option) templ.Attributes {
	if o.Value == "ask" {
		return templ.Attributes{"data-needs-note": ""}
	}
	return nil
}

func assignTo(d *dossier) string {
	if d.Mine {
		return "nobody"
	}
	return "me"
}

func assignLabel(d *dossier) string {
	if d.Mine {
		return "Put it back"
	}
	return "Take it over"
}

// options are the decisions a task offers, with the key that takes each.
func options(t task.Task) []option {
	known := map[string]option{
		"approve": {Label: "Approve", Key: "a", Class: "primary", Did: "Approved"},
		"reject":  {Label: "Reject", Key: "r", Class: "danger", Did: "Rejected"},
		"ask":     {Label: "Ask the customer", Key: "q", Did: "Asked"},
		"done":    {Label: "Done", Key: "a", Class: "primary", Did: "Done"},
		"retry":   {Label: "Try again", Key: "a", Class: "primary", Did: "Tried again"},
		"reroute": {Label: "Route again", Key: "a", Class: "primary", Did: "Routed again"},
		"cancel":  {Label: "Cancel the order", Key: "r", Class: "danger", Did: "Cancelled"},
		"wait":    {Label: "Wait for stock", Key: "q", Did: "Left waiting"},
		"refund":  {Label: "Refunded", Key: "a", Class: "primary", Did: "Refunded"},
	}
	values := t.Options
	if len(values) == 0 {
		switch t.Kind {
		case task.Review:
			values = []string{"approve", "reject", "ask"}
		default:
			values = []string{"done"}
		}
	}
	used := map[string]bool{}
	out := make([]option, 0, len(values))
	for i, v := range values {
		o, ok := known[v]
		if !ok {
			o = option{Label: title(v), Did: title(v)}
			if i == 0 {
				o.Key, o.Class = "a", "primary"
			}
		}
		o.Value = v
		if used[o.Key] {
			o.Key = ""
		}
		used[o.Key] = true
		out = append(out, o)
	}
	return out
}

// named reports whether an automation is one of the task's reasons.
func named(t task.Task, automation string) bool {
	for _, r := range t.Reasons {
		if r.Automation == automation {
			return true
		}
	}
	return false
}
