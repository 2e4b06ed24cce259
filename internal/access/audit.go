package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
)

// Record is one entry of the audit log: who did what to what, when, from where, with which result.
type Record struct {
	ID      string
	At      time.Time
	Actor   string // usr_…, token:NAME, cli:NAME, orderly; "" for a stranger
	Who     string // the actor as people knew them then: a mail address or a name
	Action  string // noun.verb, like user.role
	Subject string // what it was done to
	Origin  string // an address, or "command line"
	Result  string // Done, Refused or Failed
	Detail  string
}

// The results of a Record.
const (
	Done    = "ok"
	Refused = "refused" // not allowed, or a wrong password
	Failed  = "failed"  // allowed, and did not come about
)

// Link is one place of the hash chain over the records. Each hash covers the one before it.
type Link struct {
	Seq  int64
	ID   string
	Hash string
}

// Sealed is a Link with its record, as verification reads them. Missing says that the record is gone.
type Sealed struct {
	Link
	Record
	Missing bool
}

// AuditFilter narrows a list of records, newest first. Zero values do not narrow.
type AuditFilter struct {
	Who     string // part of the actor or of who they were
	Action  string // the action, or its beginning
	Subject string
	Result  string
	From    time.Time
	To      time.Time // exclusive
	After   string    // id of the last record of the page before
	Limit   int
}

// hash is the link's hash for a record at a place after another link. Every field
// is preceded by its length, so that no two records are written alike.
func (r Record) hash(before string, seq int64) string {
	h := sha256.New()
	var n [8]byte
	put := func(s string) {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		_, _ = h.Write(n[:]) // a hash never fails
		_, _ = h.Write([]byte(s))
	}
	for _, s := range []string{
		before, strconv.FormatInt(seq, 10), r.ID, strconv.FormatInt(r.At.UnixMicro(), 10),
		r.Actor, r.Who, r.Action, r.Subject, r.Origin, r.Result, r.Detail,
	} {
		put(s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Origin is who acts in a request or a command, and from where.
type Origin struct {
	Actor, Who, From string
}

type originKey struct{}

// WithOrigin returns a context whose acts are recorded as a person's or a program's.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom says who acts: the signed-in user of a request when nobody else is named.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	if u, ok := UserFrom(ctx); ok && o.Actor == "" {
		o.Actor, o.Who = u.ID, u.Email
	}
	return o
}

// maxField bounds what a record keeps of a text.
const maxField = 300

// record fills a record from its context and writes it, in the transaction of what it tells about.
func (s *Service) record(ctx context.Context, tx Tx, r Record) error {
	o := OriginFrom(ctx)
	if r.Actor == "" && r.Who == "" {
		r.Actor, r.Who = o.Actor, o.Who
	}
	if r.Origin == "" {
		r.Origin = o.From
	}
	if r.Result == "" {
		r.Result = Done
	}
	for _, f := range []*string{&r.Actor, &r.Who, &r.Action, &r.Subject, &r.Origin, &r.Detail} {
		*f = observe.Clean(plainText(*f))
		if len(*f) > maxField {
			*f = strings.ToValidUTF8((*f)[:maxField], "") + "…"
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fault.Wrap(err, fault.Internal, "access.record", "no id could be made")
	}
	r.ID, r.At = id.String(), s.now().UTC().Truncate(time.Microsecond)
	return tx.PutRecord(r)
}

// plainText makes a text one line without characters that move a terminal's cursor or colour it.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// Record writes one entry of the audit log. What the record leaves empty comes from the context's Origin.
func (s *Service) Record(ctx context.Context, r Record) error {
	return s.store.Update(ctx, func(tx Tx) error { return s.record(ctx, tx, r) })
}

// RecordIn is Record within a transaction: the record stands if and only if the act does.
func (s *Service) RecordIn(ctx context.Context, tx Tx, r Record) error { return s.record(ctx, tx, r) }

// Audit lists records, newest first.
func (s *Service) Audit(ctx context.Context, f AuditFilter) (rs []Record, err error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = 100
	}
	err = s.store.View(ctx, func(tx Tx) error { rs, err = tx.Records(f); return err })
	return rs, err
}

// Head is the end of the chain. Noted elsewhere, it proves later that nothing before it was changed.
type Head struct {
	Seq  int64     `json:"seq"`
	Hash string    `json:"hash"`
	At   time.Time `json:"at"`  // when it was sealed
	MAC  string    `json:"mac"` // over the other fields, under the shop's key
}

func (h Head) String() string { return strconv.FormatInt(h.Seq, 10) + ":" + h.Hash }

// ParseHead reads what Head.String has written.
func ParseHead(text string) (Head, error) {
	seq, hash, _ := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if raw, herr := hex.DecodeString(hash); err != nil || herr != nil || n < 1 || len(raw) != sha256.Size {
		return Head{}, fault.New(fault.Invalid, "access.ParseHead", "%q is not the end of a chain like 120:5f3c…", observe.Clean(text))
	}
	return Head{Seq: n, Hash: hash}, nil
}

// headSetting keeps the Head as JSON. Its row is also the lock of who seals.
const headSetting = "audit.head"

// sealEvery is how long a seal is left alone, whichever node made it.
const sealEvery = time.Minute

// sealBatch bounds the records of one seal; what is over it is sealed the minute after.
const sealBatch = 20_000

// Seal appends the records that wait to the chain. Every node calls it each minute;
// the row of the head is held meanwhile, so one of them works and the others find it done.
func (s *Service) Seal(ctx context.Context, mac func(string) string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		head, err := lockHead(tx)
		if err != nil {
			return err
		}
		now := s.now()
		if head.Seq > 0 && now.Sub(head.At) < sealEvery-5*time.Second && now.After(head.At) {
			return nil
		}
		rs, err := tx.OpenRecords(sealBatch)
		if err != nil || len(rs) == 0 {
			return err
		}
		links := make([]Link, len(rs))
		for i, r := range rs {
			head.Seq++
			head.Hash = r.hash(head.Hash, head.Seq)
			links[i] = Link{Seq: head.Seq, ID: r.ID, Hash: head.Hash}
		}
		head.At = now.UTC().Truncate(time.Microsecond)
		head.MAC = mac(head.String())
		doc, err := json.Marshal(head)
		if err != nil {
			return err
		}
		if err := tx.PutLinks(links); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "the audit log is sealed", "head", head.String(), "records", len(rs))
		return tx.PutSetting(headSetting, string(doc))
	})
}

func lockHead(tx Tx) (h Head, err error) {
	doc, err := tx.LockSetting(headSetting)
	return readHead(doc, err)
}

func readHead(doc string, err error) (h Head, _ error) {
	if err != nil || doc == "" {
		return h, err
	}
	if err := json.Unmarshal([]byte(doc), &h); err != nil {
		return h, fault.Wrap(err, fault.Internal, "access.Seal", "the end of the audit chain cannot be read")
	}
	return h, nil
}

// Unsealed is how many records wait to be sealed, and how long the oldest has waited: what the watch looks at.
func (s *Service) Unsealed(ctx context.Context) (n int64, age time.Duration, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		var oldest time.Time
		if n, oldest, err = tx.Unsealed(); err == nil && n > 0 {
			age = max(0, s.now().Sub(oldest))
		}
		return err
	})
	return n, age, err
}

// Verdict is what a verification of the audit log found.
type Verdict struct {
	OK       bool   `json:"ok"`
	Sealed   int64  `json:"sealed"`   // records whose link holds, up to the first that does not
	Unsealed int64  `json:"unsealed"` // records that wait to be sealed
	Head     string `json:"head"`     // SEQ:HASH of the last link that holds
	Broken   string `json:"broken"`   // what the first offence is; "" when there is none
}

// VerifyAudit folds the chain anew over the stored records and names the first that
// was changed, removed, moved or put in. known is a Head noted earlier, or the zero Head.
func (s *Service) VerifyAudit(ctx context.Context, mac func(string) string, known Head) (Verdict, error) {
	var v Verdict
	err := s.store.View(ctx, func(tx Tx) error {
		v = Verdict{}
		doc, _, err := tx.Setting(headSetting)
		end, err := readHead(doc, err)
		if err != nil {
			return err
		}
		before, stop := "", false
		offend := func(format string, args ...any) {
			if v.Broken == "" {
				v.Broken, stop = fault.New(fault.Conflict, "", format, args...).Message, true
			}
		}
		err = tx.EachSealed(func(x Sealed) bool {
			switch want := x.Record.hash(before, v.Sealed+1); {
			case x.Seq != v.Sealed+1:
				offend("the link %d of the chain is missing: %d follows on %d", v.Sealed+1, x.Seq, v.Sealed)
			case x.Missing:
				offend("the record %s at %d of the chain is missing", x.Link.ID, x.Seq)
			case want != x.Hash:
				offend("the record %s at %d of the chain (%s, %s) is not what was sealed: it, or its place, was changed", x.Link.ID, x.Seq, x.Action, x.At.UTC().Format(time.RFC3339))
			case known.Seq == x.Seq && known.Hash != x.Hash:
				offend("the chain was made anew: at %d it should be %s and is %s", x.Seq, known.Hash, x.Hash)
			default:
				v.Sealed, before = x.Seq, x.Hash
				v.Head = Head{Seq: x.Seq, Hash: x.Hash}.String()
			}
			return !stop
		})
		if err != nil {
			return err
		}
		signed := end.MAC != "" && subtle.ConstantTimeCompare([]byte(mac(end.String())), []byte(end.MAC)) == 1
		switch {
		case v.Broken != "":
		case end.Seq > 0 && !signed, end.Seq == 0 && v.Sealed > 0:
			offend("the end of the chain does not bear this shop's seal: the chain was made anew by somebody else")
		case end.Seq != v.Sealed || end.Seq > 0 && v.Head != end.String():
			offend("the chain ends at %d, but was sealed up to %d: the newest records were removed", v.Sealed, end.Seq)
		case known.Seq > v.Sealed:
			offend("the chain ends at %d, but %d was noted as its end: the newest records were removed", v.Sealed, known.Seq)
		}
		if v.Unsealed, _, err = tx.Unsealed(); err != nil {
			return err
		}
		stray, err := tx.StrayRecord()
		if stray != "" {
			offend("the record %s neither is in the chain nor waits to be sealed: it was put in, or its place was removed", stray)
		}
		v.OK = v.Broken == ""
		return err
	})
	return v, err
}

// EachSealed reads the chain with its records from the beginning, until fn returns false.
func (s *Service) EachSealed(ctx context.Context, fn func(Sealed) bool) error {
	return s.store.View(ctx, func(tx Tx) error { return tx.EachSealed(fn) })
}
