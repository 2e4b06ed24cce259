#!/usr/bin/env bash
# format.sh check|write: gofumpt over every Go file that is ours, generated ones left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

gofumpt=(go run mvdan.cc/gofumpt@v0.12.0)
files=()
while IFS= read -r -d '' f; do
  case $f in
    *_templ.go) ;;
    *) [ -e "$f" ] && files+=("$f") ;;
  esac
done < <(git ls-files -z --cached --others --exclude-standard -- '*.go')

case "${1:-check}" in
  write) exec "${gofumpt[@]}" -w "${files[@]}" ;;
  check)
    bad=$("${gofumpt[@]}" -l "${files[@]}")
    if [ -n "$bad" ]; then
      printf 'Not formatted (make fmt mends it):\n%s\n' "$bad" >&2
      exit 1
    fi
    ;;
  *)
    echo "usage: scripts/format.sh check|write" >&2
    exit 2
    ;;
esac
