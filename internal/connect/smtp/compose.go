package smtp

import (
	"strings"

	gomail "github.com/wneessen/go-mail"

	"orderly.example/orderly/internal/connect"
)

// compose writes the message. What it refuses is refused for good: every field comes from
// a template or an order, and would be the same the next time.
func (m *Mailer) compose(msg connect.Message) (*gomail.Msg, error) {
	refuse := func(format string, args ...any) (*gomail.Msg, error) {
		return nil, connect.Fail(connect.ClassPermanent, nil, format, args...)
	}
	if msg.ID == "" || len(msg.ID) > 128 || strings.Trim(msg.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return refuse("the id of the mail cannot stand in a Message-ID")
	}
	to, err := parseAddress(msg.To)
	if err != nil {
		return refuse("the recipient is not a mail address") // not shown: it is personal data
	}
	switch {
	case hasControl(msg.Subject):
		return refuse("the subject holds a line break or control character")
	case strings.TrimSpace(msg.Subject) == "":
		return refuse("the mail has no subject")
	case len(msg.Subject) > 900:
		return refuse("the subject is longer than 900 bytes")
	case strings.TrimSpace(msg.Text) == "":
		return refuse("the mail has no text")
	}
	out := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	if err := out.EnvelopeFrom(m.from.address); err != nil {
		return refuse("the sender's address cannot be used")
	}
	if err := out.FromFormat(m.from.name, m.from.address); err != nil {
		return refuse("the sender's address cannot be used")
	}
	if m.replyTo.address != "" {
		if err := out.ReplyToFormat(m.replyTo.name, m.replyTo.address); err != nil {
			return refuse("the address for answers cannot be used")
		}
	}
	if err := out.To(to); err != nil {
		return refuse("the recipient is not a mail address")
	}
	out.Subject(msg.Subject)
	out.SetMessageIDWithValue(strings.Trim(m.MessageID(msg.ID), "<>"))
	out.SetDate()
	// RFC 3834: no holiday answer comes back for a machine's mail.
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetGenHeader("X-Auto-Response-Suppress", "OOF, AutoReply")
	out.SetBodyString(gomail.TypeTextPlain, msg.Text)
	if msg.HTML != "" {
		out.AddAlternativeString(gomail.TypeTextHTML, msg.HTML)
	}
	return out, nil
}
