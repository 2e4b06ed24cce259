-- +goose Up

-- What an automation would have done (in shadow, outside a canary's share, stopped, upon history) is counted
-- beside what it did: fired are the firings that acted.
ALTER TABLE automation_count ADD COLUMN would BIGINT NOT NULL DEFAULT 0;
UPDATE automation_count SET would = (SELECT count(*) FROM automation_firing f
    WHERE f.name = automation_count.name AND f.how <> 'acted' AND f.at >= automation_count.hour AND f.at < automation_count.hour + 3600000000);
UPDATE automation_count SET would = fired WHERE would > fired;
UPDATE automation_count SET fired = fired - would;

-- +goose Down
UPDATE automation_count SET fired = fired + would;
ALTER TABLE automation_count DROP COLUMN would;
