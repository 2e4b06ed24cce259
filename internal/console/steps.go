package console

import (
	"fmt"
	"strings"

	"orderly.example/orderly/internal/automation"
)

// stepText says what a step does in the words of a shop.
func stepText(s automation.Step) string {
	switch a := s.Action.(type) {
	case automation.Hold:
		return fmt.Sprintf("holds the order for %s: %s", a.Queue, a.Reason)
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
	}
	return strings.ReplaceAll(string(s.Kind), "_", " ") + "s the order"
}
