package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
	"orderly.example/orderly/internal/store"
)

// shop is an open database with the key that opens what is sealed in it.
type shop struct {
	cfg    *config.Config
	log    *slog.Logger
	db     *store.DB
	keys   *store.Keyring
	access *access.Service
}

// openShop opens the database of the settings. Unless create is set, it must
// exist: a command that reads should not leave an empty shop behind because of
// a mistyped path.
func (p *program) openShop(ctx context.Context, cfg *config.Config, create bool) (*shop, error) {
	log, err := observe.NewLogger(p.stderr, observe.Options{Level: cfg.LogLevel, Format: cfg.LogFormat})
	if err != nil {
		return nil, err
	}
	path := cfg.SQLitePath()
	fresh := false
	if path != "" && path != ":memory:" {
		_, err := os.Stat(path)
		fresh = errors.Is(err, os.ErrNotExist)
		if fresh && !create {
			return nil, fault.New(fault.NotFound, "open", "there is no database at %s; \"orderly serve\" makes one, --db or --data-dir names another place", path)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "open", "the folder for the database cannot be made")
		}
	}
	if _, err := os.Stat(cfg.KeyFile); errors.Is(err, os.ErrNotExist) && path != "" && !fresh {
		return nil, fault.New(fault.NotFound, "open", "the database exists but its key file %s does not; bring it back from where you keep it "+
			"(a new key could not open what is sealed), or name it with --key-file", cfg.KeyFile)
	}
	if err := os.MkdirAll(filepath.Dir(cfg.KeyFile), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "open", "the folder for the key cannot be made")
	}
	key, err := store.LoadOrCreateKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	keys, err := store.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, cfg.DB, store.Options{Now: p.now, Logger: log, Keyring: keys})
	if err != nil {
		return nil, err
	}
	s := &shop{cfg: cfg, log: log, db: db, keys: keys, access: access.New(accessStore{db}, log, p.now)}
	if err := s.checkKey(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// close releases the database.
func (s *shop) close() {
	if err := s.db.Close(); err != nil {
		s.log.Warn("the database did not close cleanly", "error", err)
	}
}

const keySetting = "key.check"

// checkKey refuses a key that is not the one this database was sealed with:
// going on would seal new data under a second key.
func (s *shop) checkKey(ctx context.Context) error {
	mine := s.keys.Hash("key check", "orderly")
	var theirs string
	var known bool
	read := func(tx *store.Tx) (err error) {
		theirs, known, err = tx.Setting(keySetting)
		return err
	}
	if err := s.db.View(ctx, read); err != nil {
		return err
	}
	if !known {
		return s.db.Update(ctx, func(tx *store.Tx) error {
			if err := read(tx); err != nil || known {
				return err
			}
			return tx.PutSetting(keySetting, mine)
		})
	}
	if theirs != mine {
		return fault.New(fault.Conflict, "open", "the key file %s does not belong to this database; name the right one with --key-file", s.cfg.KeyFile)
	}
	return nil
}

// accessStore is the store as access sees it.
type accessStore struct{ db *store.DB }

func (a accessStore) View(ctx context.Context, fn func(access.Tx) error) error {
	return a.db.View(ctx, func(tx *store.Tx) error { return fn(tx) })
}

func (a accessStore) Update(ctx context.Context, fn func(access.Tx) error) error {
	return a.db.Update(ctx, func(tx *store.Tx) error { return fn(tx) })
}
