package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/server"
)

// problemsOnce makes huma write our error answers and describe lists as lists.
// Its hooks are variables of its package, so they are set once and not by each API.
var problemsOnce sync.Once

func useOurProblems() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		var c context.Context = noContext{}
		if ctx != nil {
			c = ctx.Context()
		}
		return problemOf(c, status, msg, errs...)
	}
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return problemOf(noContext{}, status, msg, errs...)
	}
}

// problemOf turns huma's complaint about a request into a problem of ours.
func problemOf(ctx context.Context, status int, msg string, errs ...error) *server.Problem {
	kind := fault.Invalid
	if status >= 500 {
		kind, msg = fault.Internal, ""
	}
	fe := &fault.Error{Kind: kind, Op: "api", Message: msg}
	for _, err := range errs {
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			fe.Problems = append(fe.Problems, fault.Problem{Pointer: d.Location, Message: d.Message})
		}
	}
	return server.ProblemOf(ctx, server.WithStatus(status, fe))
}

// noContext is a context that knows nothing.
type noContext struct{ context.Context }

func (noContext) Value(any) any { return nil }

// describe declares the reads and the two hot doors, and serves the OpenAPI
// document and its page.
func (a *API) describe() error {
	problemsOnce.Do(useOurProblems)
	cfg := huma.DefaultConfig("Orderly", a.Version)
	cfg.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", nil
	cfg.RejectUnknownQueryParameters = true
	cfg.Info.Description = "Send what happens, read what was decided. Every error is a problem document (RFC 9457) whose errors " +
		"point into the request; whatever is refused has changed nothing. Amounts are texts like \"12.34 EUR\", times are RFC 3339."
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "An API token, made with \"orderly token create\"."},
	}
	h := humago.New(a.mux, cfg)
	h.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if _, err := a.caller(r, ctx.Operation().Method+" "+ctx.Operation().Path); err != nil {
			server.Fail(w, r, err)
			return
		}
		next(ctx)
	})
	if a.Read != nil {
		a.reads(h)
	}
	if a.Why != nil {
		a.describeWhy(h)
	}
	for path := range h.OpenAPI().Paths { // the reads; the doors are added below
		a.patterns = append(a.patterns, http.MethodGet+" "+path)
	}
	a.describeDoors(h)
	page, err := docsPage(h.OpenAPI())
	if err != nil {
		return err
	}
	a.mux.HandleFunc("GET /docs", page)
	a.mux.HandleFunc("GET /docs/style.css", docsStyle)
	a.patterns = append(a.patterns, "GET /docs", "GET /docs/style.css", "GET /openapi.json", "GET /openapi.yaml")
	return nil
}

// schemaName names a type in the document: two packages may have a type of one name.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[fault.Problem]():
		return "Pointer"
	case t.PkgPath() == reflect.TypeFor[event.Event]().PkgPath() && t.Kind() == reflect.Struct:
		return "Data" + t.Name()
	}
	return huma.DefaultSchemaNamer(t, hint)
}

func readOp(id, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"Read"},
		Security: []map[string][]string{{"token": {}}}, Errors: []int{401, 403, 404, 422},
	}
}

type orderInput struct {
	Order string `path:"order" maxLength:"500" doc:"Orderly's id, or channel:number" example:"shop:1001"`
}

type body[T any] struct{ Body T }

// reads declares the reads to huma.
func (a *API) reads(h huma.API) {
	huma.Register(h, readOp("get-order", "/v1/orders/{order}", "One order"),
		func(ctx context.Context, in *orderInput) (*body[Order], error) {
			o, err := a.Read.Order(ctx, OrderID(in.Order))
			return answerOf(ctx, o, err)
		})

	huma.Register(h, readOp("list-orders", "/v1/orders", "Orders, newest first, page by page"),
		func(ctx context.Context, in *struct {
			State    []string  `query:"state" doc:"One or more states"`
			Channel  string    `query:"channel" maxLength:"200"`
			Country  string    `query:"country" maxLength:"2"`
			Payment  string    `query:"payment" enum:"pending,authorized,paid"`
			Customer string    `query:"customer" maxLength:"200" doc:"Customer id"`
			From     time.Time `query:"from" doc:"Placed at or after"`
			To       time.Time `query:"to" doc:"Placed before"`
			Q        string    `query:"q" maxLength:"200" doc:"Order number, id, mail address or name"`
			Sort     string    `query:"sort" enum:"newest,oldest" default:"newest"`
			Cursor   string    `query:"cursor" maxLength:"500" doc:"next of the page before"`
			Limit    int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
		},
		) (*body[OrderList], error) {
			for _, s := range in.State {
				if !slices.Contains(order.States(), order.State(s)) {
					return nil, server.ProblemOf(ctx, fault.Problems("api.orders", []fault.Problem{{Pointer: "query.state", Message: fmt.Sprintf("unknown state %q", echo(s))}}))
				}
			}
			l, err := a.Read.Orders(ctx, OrdersQuery{
				States: in.State, Channel: in.Channel, Country: in.Country, Payment: in.Payment, Customer: in.Customer,
				From: in.From, To: in.To, Search: in.Q, Oldest: in.Sort == "oldest", Cursor: in.Cursor, Limit: in.Limit,
			})
			return answerOf(ctx, l, err)
		})

	huma.Register(h, readOp("get-stock", "/v1/stock/{sku}", "What there is of one SKU, by location"),
		func(ctx context.Context, in *struct {
			SKU string `path:"sku" maxLength:"200"`
		},
		) (*body[Stock], error) {
			s, err := a.Read.Stock(ctx, in.SKU)
			return answerOf(ctx, s, err)
		})
}

func (a *API) describeWhy(h huma.API) {
	huma.Register(h, readOp("why", "/v1/orders/{order}/why", "Which automations fired for an order, and why the others did not"),
		func(ctx context.Context, in *struct {
			Order      string `path:"order" maxLength:"500" doc:"Orderly's id, or channel:number" example:"shop:1001"`
			Automation string `query:"automation" maxLength:"200" doc:"Only this one"`
		},
		) (*body[[]Why], error) {
			ws, err := a.Why.Why(ctx, OrderID(in.Order), in.Automation)
			if ws == nil {
				ws = []Why{}
			}
			return answerOf(ctx, ws, err)
		})
}

// answerOf wraps a read's result, or turns its error into the answer it gets.
func answerOf[T any](ctx context.Context, v T, err error) (*body[T], error) {
	if err != nil {
		p := server.ProblemOf(ctx, err)
		h := http.Header{}
		server.SetErrorHeaders(h, p, err)
		return nil, huma.ErrorWithHeaders(p, h)
	}
	return &body[T]{Body: v}, nil
}

// describeDoors adds the two hand-written handlers to the document.
func (a *API) describeDoors(h huma.API) {
	doc := h.OpenAPI()
	reg := doc.Components.Schemas
	result := reg.Schema(reflect.TypeFor[[]Result](), true, "Results")
	problem := reg.Schema(reflect.TypeFor[server.Problem](), true, "Problem")
	var one []*huma.Schema
	for _, typ := range submittable {
		p, _ := event.New(typ)
		data := reg.Schema(reflect.TypeOf(p).Elem(), true, "")
		no := false
		one = append(one, &huma.Schema{
			Type: huma.TypeObject, Title: typ, Description: typeDoc[typ],
			Properties: map[string]*huma.Schema{
				"id":     {Type: huma.TypeString, Description: "Your own id of this event. Sent again with the same content it is a duplicate, with other content a conflict."},
				"source": {Type: huma.TypeString, Description: "Who sends; ids are unique within it. Default: " + DefaultSource + "."},
				"type":   {Type: huma.TypeString, Enum: []any{typ}},
				"time":   {Type: huma.TypeString, Format: "date-time", Description: "When it happened. Default: now."},
				"data":   data,
			},
			Required: []string{"id", "type", "data"}, AdditionalProperties: no,
		})
	}
	for name, s := range reg.Map() {
		if strings.HasPrefix(name, "Data") {
			s.AdditionalProperties = true // a newer sender may send more
		}
	}
	anyEvent := &huma.Schema{OneOf: one}
	reg.Map()["Event"] = anyEvent
	ref := &huma.Schema{Ref: "#/components/schemas/Event"}
	answers := func(statuses ...int) map[string]*huma.Response {
		m := map[string]*huma.Response{
			"200": {Description: "Every event is durable, and decided unless it says otherwise", Content: map[string]*huma.MediaType{"application/json": {Schema: result}}},
		}
		for _, s := range statuses {
			m[fmt.Sprint(s)] = &huma.Response{Description: statusDoc[s], Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
		}
		return m
	}
	doc.AddOperation(&huma.Operation{
		OperationID: "submit-events", Method: http.MethodPost, Path: "/v1/events", Tags: []string{"Write"},
		Summary:     "Submit one event, or a list of up to 1000",
		Description: "A list is taken whole or not at all: when an item is invalid, the answer points to it and nothing was accepted.",
		Security:    []map[string][]string{{"token": {}}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
			Schema:  &huma.Schema{OneOf: []*huma.Schema{ref, {Type: huma.TypeArray, Items: ref}}},
			Example: exampleEvent,
		}}},
		Responses: answers(400, 401, 403, 409, 413, 415, 422, 503),
	})
	doc.AddOperation(&huma.Operation{
		OperationID: "deliver-webhook", Method: http.MethodPost, Path: "/hooks/{connection}", Tags: []string{"Write"},
		Summary: "Deliver one signed event",
		Description: "Signed after the Standard Webhooks specification with the connection's secret. The body is one event, or only its data " +
			"when the connection fixes the type. webhook-id is the event's id when the body has none.",
		Parameters: []*huma.Param{
			{Name: "connection", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "Name of an inbound connection"},
			{Name: "webhook-id", In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "Id of the delivery, the same on every attempt"},
			{Name: "webhook-timestamp", In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "Seconds since 1970; old ones are refused"},
			{Name: "webhook-signature", In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "v1,BASE64 of HMAC-SHA-256; several separated by blanks"},
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: ref, Example: exampleEvent}}},
		Responses:   answers(400, 401, 404, 409, 413, 415, 422, 503),
	})
}

// statusDoc says what a refusal means.
var statusDoc = map[int]string{
	400: "The body is not JSON, ambiguous, or nested too deep; nothing was accepted",
	401: "No valid token or signature",
	403: "The token has not the scope",
	404: "There is no such connection",
	409: "An id was received before with other content; outcomes tells about each event",
	413: "The body is too large; nothing was accepted",
	415: "The content type is not application/json; nothing was accepted",
	422: "An event is invalid; errors point to what is wrong; nothing was accepted",
	503: "Try again in a moment; nothing was accepted",
}

// typeDoc says when to send which type.
var typeDoc = map[string]string{
	"order.placed":            "An order came in.",
	"order.paid":              "Money was captured for an order.",
	"order.cancelled":         "The buyer or the channel cancelled.",
	"order.completed":         "The parcel was delivered, or the order closed.",
	"order.hold_requested":    "Stop this order for review.",
	"order.release_requested": "Let a held order go. A person's decision: needs the scope admin.",
	"order.reroute_requested": "Find a location again.",
	"payment.disputed":        "A payment was charged back, or an order turned out to be fraud.",
	"return.received":         "Goods came back.",
	"shipment.labelled":       "A label was made for a parcel.",
	"shipment.shipped":        "A location handed a parcel over.",
	"shipment.scanned":        "The carrier has seen a parcel on its way.",
	"shipment.delivered":      "A parcel has reached the buyer.",
	"shipment.rejected":       "A location will not ship its part.",
	"stock.received":          "Units came from a supplier.",
	"stock.counted":           "Units on hand were counted.",
	"stock.adjusted":          "Units were damaged, lost or found.",
	"stock.transferred":       "Units moved between two locations.",
	"task.assigned":           "A task was given to a person. Needs the scope admin.",
	"task.decided":            "A person decided. Needs the scope admin.",
	"incident.acknowledged":   "A person looks after an incident. Needs the scope admin.",
	"incident.snoozed":        "A person puts an incident off. Needs the scope admin.",
	"automation.stopped":      "A person stops an automation: it does nothing until it is resumed, and what it would have done is recorded. Needs the scope admin.",
	"automation.resumed":      "A person lets a stopped automation act again; its limits count anew. Needs the scope admin.",
}

var exampleEvent = map[string]any{
	"id": "shop-1001-placed", "type": "order.placed",
	"data": map[string]any{
		"channel": "shop", "number": "1001", "currency": "EUR", "placed_at": "2026-01-31T12:00:00Z",
		"lines":    []any{map[string]any{"sku": "JACKET-M", "qty": 1, "unit_price": "129.90 EUR"}},
		"customer": map[string]any{"email": "buyer@example.com"},
		"shipping": map[string]any{"postal": "10115", "city": "Berlin", "country": "DE"},
		"payment":  map[string]any{"status": "paid", "method": "card"},
	},
}
