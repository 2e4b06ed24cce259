package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
)

// asEnv names the person who acts at a terminal, for those who do not like to say it each time.
const asEnv = "ORDERLY_AS"

// person is who acts at a terminal.
type person struct {
	by      string // the mail address of their account; engine.Terminal when they did not say
	machine string // whoever the machine says they are
}

// bindAs gives a command the flag by which the person at the terminal says who they are.
func bindAs(fs *pflag.FlagSet) {
	fs.String("as", "", "`MAIL` of your account, for whatever a second person must confirm (four eyes) ["+asEnv+"]")
}

// person finds out who acts: somebody with an account that may do it, or nobody in particular. That it is really them the program cannot
// know, so the machine's user is kept beside their name wherever it is written.
func (p *program) person(cmd *cobra.Command, s *shop, act access.Action, mayOwn ...string) (person, error) {
	const op = "terminal"
	machine := commandLine()
	who := person{by: engine.Terminal, machine: machine.Who}
	mail, err := cmd.Flags().GetString("as")
	if err != nil {
		return who, err
	}
	if mail = strings.ToLower(firstWord(mail, p.env(asEnv))); mail == "" {
		return who, nil
	}
	users, err := s.access.Users(cmd.Context())
	if err != nil {
		return who, err
	}
	for _, u := range users {
		if u.Email != mail {
			continue
		}
		owns := false
		for _, owner := range mayOwn {
			owns = owns || strings.EqualFold(owner, mail)
		}
		if u.Disabled {
			return who, fault.New(fault.Denied, op, "the account %s is closed", mail)
		}
		if err := access.Require(u, act); err != nil && !owns {
			return who, fault.New(fault.Denied, op, "%s may not do this: the role %q is not enough", mail, u.Role)
		}
		who.by = mail
		machine.Who += " as " + mail
		cmd.SetContext(access.WithOrigin(cmd.Context(), machine))
		return who, nil
	}
	return who, fault.New(fault.NotFound, op, "nobody has an account %s; \"orderly user list\" shows who has one", mail)
}

// said is a reason as it is kept: with the machine's user, when a person is named whom only their word vouches for.
func (w person) said(reason string) string {
	if w.by == engine.Terminal || reason == "" {
		return reason
	}
	return reason + " (at a terminal, by the machine's user " + w.machine + ")"
}

// ownerOf is who answers for an automation; "" when there is none.
func ownerOf(e *engine.Engine, name string) string {
	if a := e.Policy().Automations.Get(name); a != nil {
		return a.Owner
	}
	return ""
}
