# shellcheck shell=bash
# What the scripts in tools/, ./run and ./test share. Sourced, never run.
#
# The caller has `set -euo pipefail` on. Everything said to a person goes to standard error, so that
# standard output stays for answers.

HERALD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
HERALD_SELF=$(basename "$0")
readonly HERALD_ROOT HERALD_SELF

say() { printf '%s: %s\n' "$HERALD_SELF" "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# step TEXT LOG COMMAND...: runs COMMAND with its output in LOG (appended), a sign of life every five
# seconds, and the end of LOG when it fails. Returns the command's code.
step() {
  local text=$1 log=$2 started=$SECONDS ticker code=0
  shift 2
  mkdir -p "$(dirname "$log")"
  printf '%s: %s ...\n' "$HERALD_SELF" "$text" >&2
  (
    trap 'exit 0' TERM
    while sleep 5 & wait $!; do
      printf '%s:   %3d s  %s\n' "$HERALD_SELF" "$((SECONDS - started))" \
        "$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-90)" >&2
    done
  ) 9>&- &
  ticker=$!
  # In the foreground, so that an interrupt from the keyboard reaches the command; in a subshell, so
  # that its `cd` and `exit` stay its own. Descriptor 9 is a caller's lock: what outlives the step by a
  # moment must not hold it.
  ("$@") >>"$log" 2>&1 </dev/null 9>&- || code=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if [[ $code -ne 0 ]]; then
    tail -n 30 "$log" >&2
    say "failed: $text (code $code, all of its output is in $log)"
  fi
  return "$code"
}

# as_root COMMAND...: through sudo when we are not root. Asks for nothing unless there is a terminal
# to ask at.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif ! command -v sudo >/dev/null; then
    say "this needs root, and there is no sudo here. As root: $*"
    return 1
  elif sudo -n true 2>/dev/null; then
    sudo -n "$@"
  elif [[ -t 0 ]]; then
    sudo "$@"
  else
    say "this needs root, and sudo wants a password but there is no terminal. As root: $*"
    return 1
  fi
}

# How many compilers may run at once: one a core, but no more than memory carries (a translation unit
# with Beast or RocksDB headers takes up to 1.5 GB).
build_jobs() {
  local cores memory_kb jobs
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  jobs=$((memory_kb / 1500000))
  ((jobs >= 1)) || jobs=1
  ((jobs <= cores)) || jobs=$cores
  echo "$jobs"
}

# build_preset PRESET [TARGET]: configures and builds (all, or one target), progress visible.
build_preset() {
  local targets=()
  [[ -z ${2:-} ]] || targets=(--target "$2")
  (
    cd "$HERALD_ROOT" || exit 1
    say "building preset $1"
    cmake --preset "$1" >"$HERALD_ROOT/build/logs/configure-$1.log" 2>&1 || {
      cat "$HERALD_ROOT/build/logs/configure-$1.log" >&2
      die "cmake --preset $1 failed"
    }
    cmake --build --preset "$1" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(build_jobs)}" \
      "${targets[@]}" >&2
  )
}

# starttime_of PID: when that process began, in clock ticks since boot; nothing when it is gone or a
# zombie. With the pid it names one process for good, where a pid alone may have been given again.
starttime_of() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The command name is in brackets and may hold spaces and brackets: cut up to the last one.
  stat=${stat##*) }
  [[ ${stat%% *} == Z ]] || cut -d' ' -f20 <<<"$stat"
}
