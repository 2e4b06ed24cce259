package console

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/server"
)

// hub gives every open page its own view of what changes.
type hub struct{ live Live }

func newHub(l Live) *hub { return &hub{l} }

func (h *hub) subscribe(ctx context.Context) <-chan Topic {
	if h.live == nil {
		ch := make(chan Topic)
		context.AfterFunc(ctx, func() { close(ch) })
		return ch
	}
	return h.live.Subscribe(ctx)
}

// liveTick is how long changes are gathered before a page hears of them: under
// load a page refreshes once a second, not a thousand times.
const liveTick = time.Second

// liveBeat keeps proxies from cutting a quiet stream.
const liveBeat = 20 * time.Second

// live streams topics as server-sent events, each at most once per tick.
func (c *Console) live(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := server.Stream(w, r)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	fl := http.NewResponseController(w)
	topics := c.hub.subscribe(ctx)
	_, _ = fmt.Fprint(w, "retry: 3000\n\n")
	if err := fl.Flush(); err != nil {
		return fault.Wrap(err, fault.Internal, "console.live", "this server cannot stream")
	}
	tick, beat := time.NewTicker(liveTick), time.NewTicker(liveBeat)
	defer tick.Stop()
	defer beat.Stop()
	changed := map[Topic]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case t, ok := <-topics:
			if !ok {
				return nil
			}
			changed[t] = true
			continue
		case <-tick.C:
			if len(changed) == 0 {
				continue
			}
			for t := range changed {
				if _, err := fmt.Fprintf(w, "event: topic\ndata: %s\n\n", t); err != nil {
					return nil // the page is gone
				}
			}
			clear(changed)
		case <-beat.C:
			if _, err := fmt.Fprint(w, ": beat\n\n"); err != nil {
				return nil
			}
		}
		if err := fl.Flush(); err != nil {
			return nil
		}
	}
}
