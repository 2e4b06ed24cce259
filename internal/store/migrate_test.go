package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

// TestMigrationThatLosesADeadlockIsRunAgain: while nodes of the version before are at work, PostgreSQL may give up the
// migration instead of their transaction.
func TestMigrationThatLosesADeadlockIsRunAgain(t *testing.T) {
	ctx, url := t.Context(), pgtest.URL(t)
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	// A sequence is not taken back with its transaction: the first three ALTER TABLE fail, whoever they belong to.
	_, err = c.Exec(ctx, `CREATE SEQUENCE altered;
		CREATE FUNCTION lose() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('altered') <= 3 THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
		END $$;
		CREATE EVENT TRIGGER lose ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION lose()`)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	var altered int
	if err := c.QueryRow(ctx, "SELECT last_value FROM altered").Scan(&altered); err != nil {
		t.Fatal(err)
	}
	if altered <= 3 {
		t.Errorf("%d tables were altered, so nothing was tried again", altered)
	}
}
