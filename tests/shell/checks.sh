# shellcheck shell=bash
# PASS and FAIL lines, and waiting with a deadline. Sourced by tests/engines/run and
# tests/nginx/run.

failures=0
pass() { printf 'PASS  %s\n' "$*"; }
fail() { printf 'FAIL  %s\n' "$*"; failures=$((failures + 1)); }
check() { local title=$1; shift; if "$@"; then pass "$title"; else fail "$title"; fi; }

now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s' "$((t / 1000))"; }

# within SECONDS COMMAND...: waits until the command succeeds; fails after this time.
within() {
  local deadline=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    (($(now_ms) < deadline)) || return 1
    sleep "${POLL_S:-0.1}"
  done
}

# Prints "median M, most X" for the numbers on stdin, one per line; "none" if there are none.
median_and_most() {
  sort -n | awk '{ v[NR] = $1 } END {
    if (NR) printf "median %s, most %s", v[int((NR + 1) / 2)], v[NR]; else printf "none" }'
}
