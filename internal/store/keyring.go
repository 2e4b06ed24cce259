package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/fault"
)

// Keyring holds what is derived from the shop's master key. Each use has a key of
// its own (HKDF, RFC 5869), so that no value made for one is of use in another.
// It is safe for concurrent use.
type Keyring struct {
	wrap   cipher.AEAD // wraps the customers' data keys
	secret cipher.AEAD // seals secrets of connections
	hash   []byte      // keyed look-up hashes
}

// KeySize is the length of a master key in bytes.
const KeySize = 32

// NewKeyring derives a keyring from a master key of KeySize bytes.
func NewKeyring(master []byte) (*Keyring, error) {
	if len(master) != KeySize {
		return nil, fault.New(fault.Invalid, "store.NewKeyring", "the master key has %d bytes, want %d", len(master), KeySize)
	}
	derive := func(use string) ([]byte, error) {
		return hkdf.Key(sha256.New, master, nil, "orderly 1 "+use, KeySize)
	}
	var k Keyring
	for use, to := range map[string]*cipher.AEAD{"customer keys": &k.wrap, "connection secrets": &k.secret} {
		key, err := derive(use)
		if err != nil {
			return nil, err
		}
		if *to, err = gcm(key); err != nil {
			return nil, err
		}
	}
	var err error
	k.hash, err = derive("look-up hashes")
	return &k, err
}

// LoadOrCreateKey reads the master key file, or makes one with a random key,
// readable by its owner only. It never overwrites a file.
func LoadOrCreateKey(path string) ([]byte, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.LoadOrCreateKey", "the folder of the key file %s cannot be made", path)
	}
	key = make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails, by its contract
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.LoadOrCreateKey", "the key file %s cannot be made", path)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		// A link, not a rename: of two processes that start at once, the second finds the first one's key.
		err = os.Link(tmp.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return loadKey(path)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.LoadOrCreateKey", "the key file %s cannot be written", path)
	}
	return key, nil
}

func loadKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.LoadOrCreateKey", "the key file %s cannot be read", path)
	}
	for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
		text = text[:len(text)-1]
	}
	key, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(key) != KeySize {
		return nil, fault.New(fault.Invalid, "store.LoadOrCreateKey", "the key file %s does not hold a key of %d bytes in base64; restore it from a backup: without it personal data cannot be read", path, KeySize)
	}
	return key, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}

// lower is base32 in lower case without letters that look alike.
var lower = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Hash is the keyed look-up hash of a value of a kind ("email", "address"): 80
// bits of HMAC-SHA-256, 16 characters. The same value gives the same hash in this
// shop only, so a stolen table of hashes cannot be looked up elsewhere.
func (k *Keyring) Hash(kind, value string) string {
	m := hmac.New(sha256.New, k.hash)
	_, _ = m.Write([]byte(kind))
	_, _ = m.Write([]byte{0})
	_, _ = m.Write([]byte(value))
	var sum [sha256.Size]byte
	return lower.EncodeToString(m.Sum(sum[:0])[:10])
}

// sealed texts begin with their format, so that another can follow one day.
const sealedV1 = "1."

func sealText(a cipher.AEAD, plain []byte, bind string) string {
	return sealedV1 + base64.RawURLEncoding.EncodeToString(a.Seal(nil, nil, plain, []byte(bind)))
}

func openText(a cipher.AEAD, sealed, bind string) ([]byte, error) {
	if len(sealed) < len(sealedV1) || sealed[:len(sealedV1)] != sealedV1 {
		return nil, errors.New("not a sealed text")
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed[len(sealedV1):])
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nil, raw, []byte(bind))
}

// NewCustomerKey makes a data key for a customer and returns it wrapped, as
// the customer table keeps it. Whoever destroys it erases the customer.
func (k *Keyring) NewCustomerKey(customerID string) (wrapped string) {
	var key [KeySize]byte
	_, _ = rand.Read(key[:]) // never fails, by its contract
	return sealText(k.wrap, key[:], "key "+customerID)
}

func (k *Keyring) customer(customerID, wrapped string) (cipher.AEAD, error) {
	key, err := openText(k.wrap, wrapped, "key "+customerID)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "store.Keyring", "the data key of customer %s does not open with this shop's key file", customerID)
	}
	return gcm(key)
}

// Seal encrypts personal data under a customer's wrapped key. Nothing to seal
// gives "". The result opens for this customer only.
func (k *Keyring) Seal(customerID, wrapped string, p customer.Personal) (string, error) {
	if p == (customer.Personal{}) {
		return "", nil
	}
	a, err := k.customer(customerID, wrapped)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(&p)
	if err != nil {
		return "", err
	}
	return sealText(a, plain, customerID), nil
}

// Open is the inverse of Seal. A customer who was erased (wrapped is "") has no
// personal data any more; that is no error.
func (k *Keyring) Open(customerID, wrapped, sealed string) (customer.Personal, error) {
	var p customer.Personal
	if wrapped == "" || sealed == "" {
		return p, nil
	}
	a, err := k.customer(customerID, wrapped)
	if err != nil {
		return p, err
	}
	plain, err := openText(a, sealed, customerID)
	if err == nil {
		err = json.Unmarshal(plain, &p)
	}
	if err != nil {
		return customer.Personal{}, fault.Wrap(err, fault.Internal, "store.Keyring", "personal data of customer %s does not open", customerID)
	}
	return p, nil
}

// SealSecret encrypts a secret of a connection, bound to the connection's name.
func (k *Keyring) SealSecret(name, secret string) string {
	if secret == "" {
		return ""
	}
	return sealText(k.secret, []byte(secret), name)
}

// OpenSecret is the inverse of SealSecret.
func (k *Keyring) OpenSecret(name, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	plain, err := openText(k.secret, sealed, name)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "store.Keyring", "the secrets of connection %q do not open with this shop's key file", name)
	}
	return string(plain), nil
}
