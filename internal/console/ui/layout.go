package ui

import "github.com/a-h/templ"

// Shortcut is one line of the help.
type Shortcut struct{ Keys, What string }

// shortcuts is what the help lists; keys.js and work.js do it.
var shortcuts = []Shortcut{
	{"Ctrl K", "Search and commands"},
	{"/", "Go to this page's search"},
	{"?", "This help"},
	{"", "Go to"},
	{"g t", "Today"},
	{"g o", "Orders"},
	{"g r", "Review"},
	{"g s", "Stock"},
	{"g a", "Automations"},
	{"g e", "Effects"},
	{"g i", "Incidents"},
	{"g m", "Map"},
	{"g p", "Settings"},
	{"", "Lists"},
	{"j / k", "Next, previous row"},
	{"↵", "Open the row"},
	{"x", "Select the row"},
	{"", "An incident"},
	{"a", "Acknowledge it"},
	{"s", "Snooze it"},
	{"r", "Resolve it"},
	{"Ctrl ↵", "Send what a dialog asks"},
	{"", "Review"},
	{"j / k", "Next, previous task"},
	{"a", "Approve"},
	{"r", "Reject"},
	{"q", "Ask the customer"},
	{"n", "Write a note"},
	{"m", "Take it, or put it back"},
	{"o", "Open the order"},
	{"z", "Undo the last decision"},
	{"", "Suggestions"},
	{"j / k", "Next, previous suggestion"},
	{"a", "Accept it as a draft"},
	{"r", "Refuse it, with a reason"},
	{"↵", "Show or hide its text"},
}

func currentAttr(on bool) templ.Attributes {
	if on {
		return templ.Attributes{"aria-current": "page"}
	}
	return nil
}

func navTitle(n NavItem) string {
	if n.Key == "" {
		return n.Label
	}
	return n.Label + " (g " + n.Key + ")"
}

func nextTheme(theme string) string {
	switch theme {
	case "dark":
		return "light"
	case "light":
		return "auto"
	}
	return "dark"
}

func themeTitle(theme string) string {
	switch theme {
	case "dark":
		return "Theme: dark; switch to light"
	case "light":
		return "Theme: light; follow the system"
	}
	return "Theme: as the system; switch to dark"
}
