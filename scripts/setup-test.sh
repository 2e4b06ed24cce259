#!/usr/bin/env bash
# Finds what the tests need beside Go (a C compiler for the race detector, PostgreSQL, PgBouncer, Chromium) and installs what is
# missing with apt on Debian and Ubuntu. Says nothing when everything is there; run it as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

packages=()
find_cc >/dev/null || packages+=(gcc libc6-dev)
find_postgres >/dev/null || packages+=(postgresql)
find_pgbouncer >/dev/null || packages+=(pgbouncer)
find_chromium >/dev/null || packages+=(chromium fonts-dejavu-core)
[ ${#packages[@]} -eq 0 ] && exit 0

advise() {
  {
    echo
    echo "The tests need: ${packages[*]}"
    echo "Install them and run this again:"
    echo "  Debian, Ubuntu  sudo apt-get install ${packages[*]}"
    echo "                  (where Ubuntu offers Chromium as a snap only: Google's google-chrome-stable package)"
    echo "  Fedora          sudo dnf install gcc postgresql-server pgbouncer chromium"
    echo "  Arch            sudo pacman -S gcc postgresql pgbouncer chromium"
    echo "  macOS           xcode-select --install; brew install pgbouncer postgresql@15 (and put its bin folder into PATH);"
    echo "                  brew install --cask chromium (and name its program in CHROMIUM)"
    echo "Or set ORDERLY_TEST_PG to the postgres:// URL of a server whose superuser may make databases."
    echo "Without them: make test-short"
  } >&2
}

if ! command -v apt-get >/dev/null; then
  advise
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Neither root nor sudo: cannot install anything." >&2
    advise
    exit 1
  fi
  as_root=(sudo)
  # Nobody can answer a password prompt here.
  [ -t 0 ] || as_root=(sudo -n)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null
}

echo "Installing for the tests: ${packages[*]}" >&2
# The package lists may be absent or old: refreshed only if the first attempt fails.
if ! apt install -y --no-install-recommends "${packages[@]}"; then
  if ! { apt update && apt install -y --no-install-recommends "${packages[@]}"; }; then
    tail -n 30 "$log" >&2
    advise
    exit 1
  fi
fi

packages=()
find_cc >/dev/null || packages+=(gcc)
find_postgres >/dev/null || packages+=(postgresql)
find_pgbouncer >/dev/null || packages+=(pgbouncer)
find_chromium >/dev/null || packages+=(chromium fonts-dejavu-core)
if [ ${#packages[@]} -ne 0 ]; then
  echo "Installed, but still not found." >&2
  advise
  exit 1
fi
