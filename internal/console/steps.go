package console

import (
	"fmt"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/rule"
)

// stepText says what a step does in the words of a shop.
func stepText(s automation.Step) string {
	switch a := s.Action.(type) {
	case automation.Hold:
		return fmt.Sprintf("holds the order for %s: %s", a.Queue, a.Reason)
	case automation.Release:
		return "releases the order"
	case automation.Tag:
		return "tags the order " + a.Tag
	case automation.Message:
		return fmt.Sprintf("sends %s to %s", a.Template, a.To)
	case automation.Task:
		return fmt.Sprintf("opens a task for %s: %s", a.Queue, a.Title)
	case automation.Webhook:
		return "calls " + a.Connection
	case automation.Prefer:
		return "prefers " + a.Location
	case automation.Exclude:
		return "leaves out " + a.Location
	case automation.Report:
		return fmt.Sprintf("sends the %s report to %s", a.Kind, a.To)
	case automation.If:
		text := "if " + a.When + ": " + stepTexts(a.Then)
		if len(a.Else) > 0 {
			text += "; else " + stepTexts(a.Else)
		}
		return text
	case automation.ForEach:
		return "for each line of the order: " + stepTexts(a.Do)
	case automation.Wait:
		return "waits " + rule.DurationText(a.For)
	case automation.WaitFor:
		return "waits for " + a.Event + ", " + rule.DurationText(a.For) + " at most" + orElse(a.Else)
	case automation.Ask:
		return fmt.Sprintf("asks %s: %s (%s)%s", a.Queue, a.Title, strings.Join(a.Options, ", "), orElse(a.Else))
	case automation.Call:
		return "calls " + a.Connection + " and waits for its answer" + orElse(a.Else)
	case automation.Assign:
		return "names " + a.Name
	case automation.Escalate:
		return "escalates to " + a.To
	case automation.Stop:
		return "stops here"
	case automation.Cancel:
		return "cancels the order: " + a.Reason
	case automation.Refund:
		return "asks finance for a refund: " + a.Reason
	}
	return string(s.Kind)
}

func stepTexts(steps []automation.Step) string {
	texts := make([]string, len(steps))
	for i, s := range steps {
		texts[i] = stepText(s)
	}
	return strings.Join(texts, ", ")
}

func orElse(steps []automation.Step) string {
	if len(steps) == 0 {
		return ""
	}
	return "; if none comes, " + stepTexts(steps)
}
