#!/usr/bin/env bash
# Generates again and fails when that changed, added or removed a file: the committed files must be what their sources give.
set -euo pipefail
cd "$(dirname "$0")/.."

state() {
  git ls-files -z --cached --others --exclude-standard -- '*_templ.go' | sort -z | while IFS= read -r -d '' f; do
    [ -e "$f" ] && sha256sum "$f"
  done
  return 0
}

before=$(state)
make --no-print-directory generate
after=$(state)
if [ "$before" != "$after" ]; then
  echo "Generated files were out of date; they are fresh now, commit them:" >&2
  diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") | awk '/^[<>]/ {print "  " $3}' | sort -u >&2
  exit 1
fi
