# shellcheck shell=bash
# Sourced by the other scripts: where the tools of the tests are.

# find_postgres prints the folder that holds the server's programs, where internal/pgtest looks for them. With
# ORDERLY_TEST_PG set, the tests use that server and need no programs.
find_postgres() {
  local dir
  if [ -n "${ORDERLY_TEST_PG:-}" ]; then
    printf '%s\n' "$ORDERLY_TEST_PG"
    return 0
  fi
  for dir in /usr/lib/postgresql/*/bin; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
      printf '%s\n' "$dir"
      return 0
    fi
  done
  if command -v initdb >/dev/null && dir=$(command -v postgres); then
    dirname "$dir"
    return 0
  fi
  return 1
}

# find_chromium prints the path of a Chromium or Chrome, as the browser tests look for it.
find_chromium() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

# find_cc prints the C compiler that the race detector links with.
find_cc() {
  local name
  for name in "${CC:-}" gcc clang cc; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

# find_pgbouncer prints PgBouncer's program.
find_pgbouncer() {
  command -v pgbouncer || { [ -x /usr/sbin/pgbouncer ] && echo /usr/sbin/pgbouncer; }
}
