#!/usr/bin/env bash
# Fails when a committed generated file is not what its template gives. Generates into a folder of its own, so that the
# tree stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
templates=()
while IFS= read -r -d '' f; do
  [ -e "$f" ] && templates+=("$f")
done < <(git ls-files -z --cached --others --exclude-standard -- '*.templ')
[ ${#templates[@]} -eq 0 ] && exit 0
cp go.mod "$tmp"
for f in "${templates[@]}"; do
  mkdir -p "$tmp/$(dirname "$f")"
  cp "$f" "$tmp/$f"
done
version=$(go list -m -f '{{.Version}}' github.com/a-h/templ)
go run "github.com/a-h/templ/cmd/templ@$version" generate -path "$tmp" -log-level warn

# The path in error messages depends on where the generator ran; nothing else may differ.
# shellcheck disable=SC2016
plain() { sed -E 's/FileName: `[^`]*`//' "$1"; }
bad=0
for f in "${templates[@]}"; do
  out=${f%.templ}_templ.go
  if ! cmp -s <(plain "$out" 2>/dev/null) <(plain "$tmp/$out"); then
    echo "$out is not what $f gives: run make generate and commit the result" >&2
    bad=1
  fi
done
while IFS= read -r -d '' f; do
  if [ -e "$f" ] && [ ! -e "${f%_templ.go}.templ" ]; then
    echo "$f has no template any more: remove it" >&2
    bad=1
  fi
done < <(git ls-files -z --cached --others --exclude-standard -- '*_templ.go')
exit $bad
