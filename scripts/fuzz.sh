#!/usr/bin/env bash
# fuzz.sh [TIME]: runs every fuzz target of the project, one after the other, for TIME each (default 5s).
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-5s}
count=0
while IFS=: read -r file name; do
  pkg=./$(dirname "$file")
  echo "== $pkg $name"
  go test "$pkg" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
  count=$((count + 1))
done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/:func /:/')
if [ "$count" -eq 0 ]; then
  echo "no fuzz target found" >&2
  exit 1
fi
echo "$count fuzz targets, $time each, no failure"
