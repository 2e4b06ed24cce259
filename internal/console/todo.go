package console

import (
	"regexp"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/yamltext"
)

// lacking tells what is not filled in yet from what is wrong.
var lacking = regexp.MustCompile(`^[a-z_]+ (is required|needs at least one step)`)

// todo says what is still to fill in, "" when nothing is.
func (b *builder) todo() string {
	if len(b.lacks) == 0 {
		return ""
	}
	return "Still to fill in: " + strings.Join(b.lacks, ", ") + "."
}

// lackWords names what is missing at a path of the text.
func lackWords(path string) string {
	switch path {
	case "automation":
		return "its name"
	case "owner":
		return "its owner"
	case "why":
		return "why it exists"
	case "on":
		return "what sets it off"
	case "do":
		return "what it does (add a step)"
	case "schedule/cron":
		return "its times"
	}
	parts := strings.Split(path, "/")
	text := "the " + strings.ReplaceAll(parts[len(parts)-1], "_", " ")
	step := "" // from the inner step to the outer
	for i := 0; i+1 < len(parts); i++ {
		n, err := strconv.Atoi(parts[i+1])
		switch parts[i] {
		case "do", "then", "else":
			if err != nil {
				continue
			}
			under := ""
			if step != "" {
				under = " under “" + title(parts[i]) + "”"
			}
			step = " of step " + strconv.Itoa(n+1) + under + step
		case "tests":
			return text + " of example " + strconv.Itoa(n+1)
		}
	}
	switch last := parts[len(parts)-1]; last {
	case "do", "then", "else":
		text = "a step under “" + title(last) + "”"
	}
	return text + step
}

// addStepLabel says where a step that is chosen will stand.
func (b *builder) addStepLabel(path, when string) string {
	if when != "" {
		return "Add a step: " + strings.TrimPrefix(when, "what is done ") + "…"
	}
	n := entries(b.Doc.At(path))
	switch {
	case n == 0:
		return "Add a step…"
	case b.afterAsk(path):
		return "Add a step after the answer…"
	}
	return "Add a step after step " + strconv.Itoa(n) + "…"
}

// afterAsk reports whether the last step of a list asks somebody.
func (b *builder) afterAsk(path string) bool {
	s, ok := automation.StepOf(b.Doc, yamltext.Join(path, strconv.Itoa(entries(b.Doc.At(path))-1)))
	return ok && s.Kind == automation.KindAsk
}

// groupLabel names the button that adds two conditions of which one, or both, must hold.
func (b *builder) groupLabel(path, part string) string {
	if automation.AddsBoth(b.outline(path, b.value(path)), part) {
		return "Both … and"
	}
	return "Either … or"
}
