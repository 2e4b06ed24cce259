package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// alertsView is the page about who is told of incidents.
type alertsView struct {
	Page        ui.PageView
	Shop        Shop
	CanConnect  bool
	Connections []store.ConnectionRow
	Tried       []alertTried // by the test that was just made
}

// alertTried is how a test went by one way.
type alertTried struct {
	Connection, Said string
	OK               bool
}

func (c *Console) alerts(w http.ResponseWriter, r *http.Request) error {
	return c.showAlerts(w, r, alertsView{})
}

func (c *Console) showAlerts(w http.ResponseWriter, r *http.Request, v alertsView) error {
	u, _ := access.UserFrom(r.Context())
	v.Shop, v.CanConnect = c.Shop(), access.Can(u.Role, access.ManageConnect) && c.Connect != nil
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		v.Connections, err = tx.ConnectionRows()
		return err
	})
	if err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Alerts", "Settings"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, alertsPage(v))
}

// testAlerts sends a test by every way at once and shows what each answered.
func (c *Console) testAlerts(w http.ResponseWriter, r *http.Request) error {
	if c.Connect == nil {
		return fault.New(fault.Unavailable, "console.testAlerts", "connections cannot be tested on this server")
	}
	u, _ := access.UserFrom(r.Context())
	var v alertsView
	for _, name := range alertWays(c.Shop()) {
		v.Tried = append(v.Tried, alertTried{Connection: name})
	}
	var wg sync.WaitGroup
	for i := range v.Tried {
		wg.Go(func() {
			t := &v.Tried[i]
			answer, err := c.Connect.TestConnection(r.Context(), t.Connection, u.Email)
			if t.OK, t.Said = err == nil, firstOf(answer, "taken"); err != nil {
				t.Said = capital(fault.Message(err))
			}
		})
	}
	wg.Wait()
	return c.showAlerts(w, r, v)
}

// alertWays are the connections by which people learn of incidents.
func alertWays(s Shop) []string {
	var out []string
	for _, name := range slices.Concat([]string{s.Mail}, s.Alerts, []string{s.Heartbeat}) {
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}

// untilWords is a wait as people say it.
func untilWords(d time.Duration) string {
	if d%time.Hour == 0 {
		return ui.Plural(int64(d/time.Hour), "hour", "hours")
	}
	return ui.Plural(int64(d/time.Minute), "minute", "minutes")
}

// durationText is a duration as settings write it: 4h, 30m.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// alertsText is what stands in shop.yaml about alerts, with an example in the place of what is missing.
func alertsText(s Shop) string {
	var b strings.Builder
	line := func(set bool, format string, args ...any) {
		if !set {
			b.WriteString("# ")
		}
		fmt.Fprintf(&b, format+"\n", args...)
	}
	line(s.OpsOwner != "", "ops_owner: %s", firstOf(s.OpsOwner, "ops@shop.example"))
	line(s.Mail != "", "mail: %s", firstOf(s.Mail, "mail"))
	line(len(s.Alerts) > 0, "alert: [%s]", firstOf(strings.Join(s.Alerts, ", "), "team-chat, on-call"))
	after := s.EscalateAfter
	if after == 0 {
		after = 30 * time.Minute
	}
	line(len(s.Escalate) > 0, "escalate: { after: %s, to: [%s] }", durationText(after), firstOf(strings.Join(s.Escalate, ", "), "lead@shop.example"))
	line(s.Heartbeat != "", "heartbeat: %s", firstOf(s.Heartbeat, "outside"))
	return b.String()
}
