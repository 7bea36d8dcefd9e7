#!/usr/bin/env bash
# Runs a quorate cluster on this machine, on loopback: see `scripts/cluster.sh help`.
# Needs bash, coreutils and the Rust toolchain; no curl, no ps.
set -euo pipefail

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly REPO
readonly DEFAULT_PORT=8411
readonly MAX_NODES=9
readonly READY_LIMIT_S=30
readonly STOP_LIMIT_S=10

usage() {
  cat <<USAGE
Usage: scripts/cluster.sh [OPTIONS] COMMAND

Commands
  up [N]      Start N nodes (default 3) and return when each answers a linearizable lookup
  down        Stop every node; the data is kept for the next \`up\`
  purge       Stop every node and delete the directory
  status      Show the running nodes and the state of the cluster
  kill I      Kill node I with SIGKILL
  pause I     Pause node I with SIGSTOP
  resume I    Resume node I with SIGCONT
  restart I   Stop node I with SIGTERM if it runs, and start it
  wipe I      Empty the data directory of node I; restart it if it ran
  logs I      Print the log of node I

Options
  --port P         Port of node 1; the others follow it (default $DEFAULT_PORT)
  --dir D          Directory of the cluster (default .cluster in the repository)
  --environment E  node.environment of the nodes and of their engines (default test)
  --set KEY=VALUE  Line to add to every config.properties (may be repeated)
  --release        Build with optimizations (slower to compile; the default is a dev build)
  --bin FILE       Use this quorate binary and build nothing
USAGE
}

fail() {
  printf 'cluster.sh: %s\n' "$*" >&2
  exit 1
}

usage_error() {
  printf 'cluster.sh: %s (see scripts/cluster.sh help)\n' "$*" >&2
  exit 2
}

# ---- The directory: one folder for each node, and the options of `up` ------------------------

node_dir() { printf '%s/node-%s' "$dir" "$1"; }
pid_file() { printf '%s/pid' "$(node_dir "$1")"; }
log_file() { printf '%s/quorate.log' "$(node_dir "$1")"; }
port_of() { printf '%s' "$((port + $1 - 1))"; }
url_of() { printf 'http://127.0.0.1:%s' "$(port_of "$1")"; }

urls() {
  local i list=""
  for ((i = 1; i <= nodes; i++)); do list+="${list:+,}$(url_of "$i")"; done
  printf '%s' "$list"
}

save_cluster() { printf '%s\n' "$nodes" "$port" "$bin" "$environment" >"$dir/cluster"; }

# Loads the options of the last `up`, and uses them in place of those that are not given now.
load_cluster() {
  local lines
  [[ -f $dir/cluster ]] || return 1
  mapfile -t lines <"$dir/cluster"
  nodes=${lines[0]} said_port=${lines[1]} said_bin=${lines[2]} said_environment=${lines[3]}
  port=${port:-$said_port} bin=${bin:-$said_bin} environment=${environment:-$said_environment}
}

require_cluster() {
  load_cluster || fail "no cluster in $dir: start one with scripts/cluster.sh up"
}

require_node() {
  [[ -n ${1:-} ]] || usage_error "the number of a node is missing"
  if ! [[ $1 =~ ^[1-9]$ && $1 -le $nodes ]]; then
    fail "unknown node '$1': the nodes are 1 to $nodes"
  fi
}

# ---- Processes: a pid is ours only while it has the start time that was recorded -------------

# Prints state and start time of a process, from /proc (or from ps, without /proc).
process_state() {
  if [[ -d /proc/self ]]; then
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name, in parentheses, may contain spaces: continue after it.
    read -ra stat <<<"${stat##*) }"
    printf '%s' "${stat[0]}"
  else
    ps -o state= -p "$1" 2>/dev/null | cut -c1
  fi
}

# Prints the start time of a process. It distinguishes the process from a later one with the same
# pid.
process_start() {
  if [[ -d /proc/self ]]; then
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra stat <<<"${stat##*) }"
    printf '%s' "${stat[19]}"
  else
    ps -o lstart= -p "$1" 2>/dev/null
  fi
}

# Prints the pid of node I if the process that we started is alive.
running() {
  local pid started state
  [[ -f $(pid_file "$1") ]] || return 1
  { read -r pid && read -r started; } <"$(pid_file "$1")" || return 1
  [[ $(process_start "$pid") == "$started" ]] || return 1
  state=$(process_state "$pid") || return 1
  [[ $state != Z ]] || return 1
  printf '%s' "$pid"
}

# Starts node I in the background, and records its pid and start time.
start_node() {
  local i=$1 pid
  # The node has its own process group and ignores SIGHUP, so it outlives this script and terminal.
  set -m
  nohup "$bin" run --etc-dir "$(node_dir "$i")/etc" </dev/null >>"$(log_file "$i")" 2>&1 &
  pid=$!
  set +m
  disown "$pid" 2>/dev/null || true
  printf '%s\n' "$pid" "$(process_start "$pid" || true)" >"$(pid_file "$i")"
}

# Sends SIGTERM, then SIGKILL after STOP_LIMIT_S. A paused node also needs SIGCONT to handle
# SIGTERM.
stop_node() {
  local i=$1 pid tenths=0
  pid=$(running "$i") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  kill -CONT "$pid" 2>/dev/null || true
  while running "$i" >/dev/null; do
    if ((tenths++ == STOP_LIMIT_S * 10)); then
      printf 'node %s has not stopped within %s s: sending SIGKILL\n' "$i" "$STOP_LIMIT_S"
      kill -KILL "$pid" 2>/dev/null || true
    fi
    ((tenths < STOP_LIMIT_S * 20)) || fail "node $i (pid $pid) cannot be stopped"
    sleep 0.1
  done
  rm -f "$(pid_file "$i")"
}

kill_node() {
  local pid
  pid=$(running "$1") || return 0
  kill -KILL "$pid" 2>/dev/null || true
  while running "$1" >/dev/null; do sleep 0.05; done
  rm -f "$(pid_file "$1")"
}

stop_all() {
  local i
  # All nodes are stopped at once. Otherwise the last leader would wait to hand over its leadership,
  # which is impossible without a quorum.
  for ((i = 1; i <= nodes; i++)); do stop_node "$i" & done
  wait
}

# ---- Network, with bash alone ----------------------------------------------------------------

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the status code of GET $2 on port $1; fails without an answer.
http_code() {
  local line
  line=$(
    exec 2>/dev/null
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
    read -r -t 3 line <&3 && printf '%s' "$line"
  ) || return 1
  [[ $line =~ ^HTTP/1\.[01]\ ([0-9]{3}) ]] && printf '%s' "${BASH_REMATCH[1]}"
}

# Waits until node I answers a linearizable lookup; fails when its process ends or the time is up.
wait_node() {
  local i=$1
  while [[ $(http_code "$(port_of "$i")" /v1/service || true) != 200 ]]; do
    if ! running "$i" >/dev/null; then
      printf 'node %s has exited; the last lines of %s:\n' "$i" "$(log_file "$i")" >&2
      tail -n 15 "$(log_file "$i")" >&2
      return 1
    fi
    if ((SECONDS > READY_LIMIT_S)); then
      printf 'node %s does not answer lookups after %s s; the last lines of %s:\n' \
        "$i" "$READY_LIMIT_S" "$(log_file "$i")" >&2
      tail -n 15 "$(log_file "$i")" >&2
      return 1
    fi
    sleep 0.05
  done
}

# ---- Files in airlift's format --------------------------------------------------------------

write_etc() {
  local i=$1 etc
  etc="$(node_dir "$i")/etc"
  mkdir -p "$etc" "$(node_dir "$i")/data"
  {
    printf 'http-server.http.port=%s\n' "$(port_of "$i")"
    printf 'service-inventory.uri=file://%s/service-inventory.json\n' "$etc"
    ((${#settings[@]} == 0)) || printf '%s\n' "${settings[@]}"
  } >"$etc/config.properties"
  {
    printf 'node.environment=%s\n' "$environment"
    printf 'node.id=quorate-%s\n' "$i"
    printf 'node.bind-ip=127.0.0.1\n'
    printf 'node.data-dir=%s/data\n' "$(node_dir "$i")"
  } >"$etc/node.properties"
  printf 'io.airlift=INFO\n' >"$etc/log.properties"
  printf '# Not read: there is no JVM.\n-server\n' >"$etc/jvm.config"
  write_inventory >"$etc/service-inventory.json"
}

write_inventory() {
  local i comma=""
  printf '{"environment": "%s", "services": [' "$environment"
  for ((i = 1; i <= nodes; i++)); do
    printf '%s\n  {"id": "00000000-0000-4000-8000-00000000000%s", "nodeId": "quorate-%s",' \
      "$comma" "$i" "$i"
    printf ' "type": "discovery", "pool": "general",\n'
    printf '   "location": "/127.0.0.1", "state": "RUNNING", "properties": {"http": "%s"}}' \
      "$(url_of "$i")"
    comma=","
  done
  printf ']}\n'
}

# ---- Commands -------------------------------------------------------------------------------

build() {
  if [[ -n $bin ]]; then
    [[ -x $bin ]] || fail "no quorate binary at $bin"
    return
  fi
  command -v cargo >/dev/null ||
    fail "cargo is missing: install Rust with rustup, https://rustup.rs"
  local target=${CARGO_TARGET_DIR:-$REPO/target}
  if ((release)); then
    printf 'Building quorate (release)\n'
    (cd "$REPO" && cargo build --locked --release --bin quorate)
    bin="$target/release/quorate"
  else
    printf 'Building quorate (dev build; --release for an optimized one)\n'
    # This build omits the allocator of releases, which takes longer to compile than all the rest.
    (cd "$REPO" && cargo build --locked --no-default-features --bin quorate)
    bin="$target/debug/quorate"
  fi
}

up() {
  local wanted=${1:-} i pid
  [[ -z $wanted || ($wanted =~ ^[0-9]+$ && $wanted -ge 1 && $wanted -le $MAX_NODES) ]] ||
    usage_error "'$wanted' is not a number of nodes from 1 to $MAX_NODES"
  local said_on_line=$bin
  if load_cluster; then
    for ((i = 1; i <= nodes; i++)); do
      if pid=$(running "$i"); then
        fail "already up: node $i runs as pid $pid on port $said_port" \
          "(stop it with scripts/cluster.sh down)"
      fi
    done
    [[ -z $wanted || $wanted == "$nodes" ]] ||
      fail "$dir contains a cluster of $nodes nodes, whose members are recorded in its log:" \
        "delete it with scripts/cluster.sh purge"
  fi
  # The binary that an earlier `up` recorded is not used, since it may be older than the sources.
  bin=$said_on_line
  nodes=${wanted:-${nodes:-3}} port=${port:-$DEFAULT_PORT} environment=${environment:-test}
  ((port + nodes - 1 <= 65535)) || usage_error "$nodes ports from $port up exceed 65535"
  for ((i = 1; i <= nodes; i++)); do
    ! port_taken "$(port_of "$i")" ||
      fail "port $(port_of "$i") is in use by another program: choose another with --port"
  done
  build

  mkdir -p "$dir"
  for ((i = 1; i <= nodes; i++)); do write_etc "$i"; done
  save_cluster
  trap 'stop_all; exit 130' INT TERM
  SECONDS=0
  for ((i = 1; i <= nodes; i++)); do
    : >"$(log_file "$i")"
    start_node "$i"
  done
  for ((i = 1; i <= nodes; i++)); do
    wait_node "$i" || {
      stop_all
      fail "the cluster did not start"
    }
  done
  trap - INT TERM

  for ((i = 1; i <= nodes; i++)); do
    printf 'node %s  %s  pid %s\n' "$i" "$(url_of "$i")" "$(running "$i")"
  done
  printf '\nEvery node answers linearizable lookups. '
  printf 'For etc/config.properties of an engine, any one of:\n'
  for ((i = 1; i <= nodes; i++)); do printf 'discovery.uri=%s\n' "$(url_of "$i")"; done
}

down() {
  require_cluster
  stop_all
  printf 'All nodes are stopped. Their data is kept in %s.\n' "$dir"
}

purge() {
  require_cluster
  stop_all
  local i
  # Removes only the files of `up`: --dir may name a directory that contains more.
  for ((i = 1; i <= nodes; i++)); do rm -rf "$(node_dir "$i")"; done
  rm -f "$dir/cluster"
  rmdir "$dir" 2>/dev/null || true
  printf 'All nodes are stopped and their data is deleted.\n'
}

status() {
  require_cluster
  local i pid state alive=0
  for ((i = 1; i <= nodes; i++)); do
    if pid=$(running "$i"); then
      alive=1
      state="runs as pid $pid"
      [[ $(process_state "$pid") != T ]] || state="is paused, pid $pid"
    else
      state="is not running"
    fi
    printf 'node %s  %s  %s\n' "$i" "$(url_of "$i")" "$state"
  done
  ((alive)) || return 3
  printf '\n'
  "$bin" cluster --server "$(urls)"
}

signal_node() {
  require_cluster
  require_node "${2:-}"
  local pid
  pid=$(running "$2") || fail "node $2 is not running"
  kill -"$1" "$pid"
  printf 'node %s: SIG%s\n' "$2" "$1"
}

kill_one() {
  require_cluster
  require_node "${1:-}"
  running "$1" >/dev/null || fail "node $1 is not running"
  kill_node "$1"
  printf 'node %s was killed\n' "$1"
}

start_one() {
  ! port_taken "$(port_of "$1")" || fail "port $(port_of "$1") is in use by another program"
  SECONDS=0
  start_node "$1"
  local tenths
  # Waits until the node listens, or exits because it refuses to start. A node that listens may
  # still lack a quorum, so it is not necessarily ready.
  for ((tenths = 0; tenths < 100; tenths++)); do
    running "$1" >/dev/null || {
      tail -n 15 "$(log_file "$1")" >&2
      fail "node $1 has exited"
    }
    ! port_taken "$(port_of "$1")" || break
    sleep 0.1
  done
  printf 'node %s  %s  pid %s\n' "$1" "$(url_of "$1")" "$(running "$1")"
}

restart() {
  require_cluster
  require_node "${1:-}"
  stop_node "$1"
  start_one "$1"
}

wipe() {
  require_cluster
  require_node "${1:-}"
  local ran=0 data
  data="$(node_dir "$1")/data"
  ! running "$1" >/dev/null || ran=1
  kill_node "$1"
  # Removes only the contents, because the directory may be a mount point.
  (
    shopt -s nullglob dotglob
    rm -rf -- "${data:?}"/*
  )
  printf 'node %s: data deleted\n' "$1"
  ((ran == 0)) || start_one "$1"
}

logs() {
  require_cluster
  require_node "${1:-}"
  cat "$(log_file "$1")"
}

main() {
  dir="$REPO/.cluster" port="" bin="" environment="" nodes="" release=0
  settings=()
  local words=()
  while (($#)); do
    case $1 in
      --port | --dir | --environment | --set | --bin)
        (($# > 1)) || usage_error "$1 needs a value"
        case $1 in
          --port)
            [[ $2 =~ ^[1-9][0-9]{0,4}$ && $2 -le 65535 ]] || usage_error "'$2' is not a port"
            port=$2
            ;;
          --dir) dir=$2 ;;
          --environment) environment=$2 ;;
          --set) settings+=("$2") ;;
          --bin) bin=$(realpath -- "$2") || fail "no quorate binary at $2" ;;
        esac
        shift 2
        ;;
      --release) release=1 && shift ;;
      -h | --help) usage && exit 0 ;;
      -*) usage_error "unknown option $1" ;;
      *) words+=("$1") && shift ;;
    esac
  done
  dir=$(realpath -m -- "$dir")
  ((${#words[@]} <= 2)) || usage_error "too many arguments: ${words[*]}"
  local argument=${words[1]:-}
  case ${words[0]:-} in
    up) up "$argument" ;;
    down) down ;;
    purge) purge ;;
    status) status ;;
    kill) kill_one "$argument" ;;
    pause) signal_node STOP "$argument" ;;
    resume) signal_node CONT "$argument" ;;
    restart) restart "$argument" ;;
    wipe) wipe "$argument" ;;
    logs) logs "$argument" ;;
    help) usage ;;
    "") usage >&2 && exit 2 ;;
    *) usage_error "unknown command '${words[0]}'" ;;
  esac
}

main "$@"
