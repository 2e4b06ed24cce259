-- +goose Up

-- Runs of an automation, the newest first: all of them, and those of one state.
DROP INDEX run_automation;
CREATE INDEX run_automation ON run (automation, started, id);
CREATE INDEX run_automation_state ON run (automation, state, started, id);

-- +goose Down
DROP INDEX run_automation_state;
DROP INDEX run_automation;
CREATE INDEX run_automation ON run (automation, started);
