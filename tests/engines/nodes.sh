# shellcheck shell=bash disable=SC2154
# Starts and drives the engine's nodes, its clients and the cluster. Sourced by tests/engines/run.

# ---- The engine -----------------------------------------------------------------------------

node_url() { printf 'http://127.0.0.1:%s' "$((port + $1))"; }
slot_url() { printf 'http://127.0.0.1:%s' "$((port + 3 + $1))"; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$((port + 3 + $1))") 2>/dev/null; }
declare -A engine_pids=()

# Ways for an engine to find the cluster: one fixed node, nginx, or a member chosen from an
# inventory.
front_url() {
  local front=7
  [[ $protocol == HTTP/1.1 ]] || front=8
  printf 'http://127.0.0.1:%s' "$((port + front))"
}
at_node() { printf 'discovery.uri=%s' "$(engines_url "$1")"; }
at_front() { printf 'discovery.uri=%s' "$(front_url)"; }
by_inventory() { printf 'service-inventory.uri=%s/v1/service-inventory' "$1"; }

# start_engine NAME SLOT DISCOVERY: starts an engine node on the port of the slot; slots 1 and 2 are
# workers, 0 and 3 coordinators.
start_engine() {
  local name=$1 slot=$2 dir=$work/$1
  local coordinator=false heap=768M further=()
  ((slot % 3 > 0)) || { coordinator=true heap=1G further=("${coordinator_settings[@]}"); }
  [[ -z $https ]] || further+=("${engine_https[@]}" "http-server.https.port=$((port + 12 + slot))")
  mkdir -p "$dir/etc/catalog" "$dir/plugin"
  ln -sfn "$home/plugin/tpch" "$dir/plugin/tpch"
  echo connector.name=tpch >"$dir/etc/catalog/tpch.properties"
  # The log of the engine's discovery client shows when it received each answer.
  printf '%s\n' "coordinator=$coordinator" "http-server.http.port=$((port + 3 + slot))" "$3" \
    discovery.http-client.log.enabled=true discovery.http-client.log.flush-interval=1s \
    node-scheduler.include-coordinator=false query.max-memory=400MB \
    query.max-memory-per-node=200MB \
    memory.heap-headroom-per-node=200MB "${settings[@]}" "${further[@]}" "${engine_secret[@]}" \
    >"$dir/etc/config.properties"
  # The engine is started without its launcher, which forks: a process that is not a child of this
  # shell cannot be ended with certainty.
  (
    cd "$dir" && exec "$java_home/bin/java" "-Xmx$heap" -XX:+UseSerialGC \
      -XX:+ExitOnOutOfMemoryError -Djdk.attach.allowAttachSelf=true \
      "${jvm_flags[@]}" -Dnode.environment=engines "-Dnode.id=$name" \
      -Dnode.internal-address=127.0.0.1 "-Dnode.data-dir=$dir" \
      -Dconfig=etc/config.properties -cp "$home/lib/*" "$main"
  ) >>"$work/$name.log" 2>&1 &
  engine_pids[$name]=$!
  # Killing the engine is part of the test, so bash must not report it.
  disown "$!"
}

# Removes the colors from an engine's log on stdin.
without_colors() { sed 's/\x1b\[[0-9;]*m//g'; }

# end_engine NAME SIGNAL SECONDS: fails when the process has not ended after that time.
end_engine() {
  local pid=${engine_pids[$1]:-} ended=0
  [[ -n $pid ]] || return 0
  kill "-$2" "$pid" 2>/dev/null
  within "$3" ended "$pid" || ended=1
  ((ended == 1)) || unset "engine_pids[$1]"
  return "$ended"
}

# Sends one statement to the engine and prints its rows as JSON; fails when the statement fails or
# takes longer than 30 s.
query() {
  local answer next="" deadline=$((SECONDS + 30))
  answer=$(curl -sS -m 10 -H "$user_header: engines" --data-binary "$1" \
    "$engine_url/v1/statement" 2>&1) || { echo "$answer"; return 1; }
  while ((SECONDS < deadline)); do
    [[ $answer != *'"error":{'* ]] || { grep -o '"error":.*' <<<"$answer" | cut -c1-300; return 1; }
    grep -o '"data":\[.*\]\]' <<<"$answer" | sed 's/^"data"://'
    next=$(grep -o '"nextUri":"[^"]*"' <<<"$answer" | cut -d'"' -f4)
    if [[ -z $next ]]; then
      [[ $answer == *'"stats"'* ]] || { echo "no engine response: ${answer:0:200}"; return 1; }
      return 0
    fi
    answer=$(curl -sS -m 10 -H "$user_header: engines" "$next" 2>&1) || {
      echo "$answer"
      return 1
    }
  done
  # The query is cancelled, because a worker that still has a task of it takes 5 s to stop.
  curl -s -m 5 -X DELETE -H "$user_header: engines" "$next" >/dev/null
  echo "not finished after 30 s"
  return 1
}

# Runs a client of the engine, pointed only at node $1 of the cluster. It prints the number of
# nations, which is 25. Warnings go to a log.
ask_cli() {
  timeout 90 "$java_home/bin/java" -Xmx256M -jar "$cli" --server "$(node_url "$1")" --user engines \
    --output-format TSV --execute "select count(*) from tpch.tiny.nation" 2>>"$work/clients.log"
}

# With HTTPS, the cluster redirects it to the coordinator's port for HTTPS.
ask_python() {
  timeout 90 env "${python_trust[@]}" "$python/bin/python" - "$((port + $1))" \
    2>>"$work/clients.log" <<PYTHON
import sys, $python_module.dbapi
connection = $python_module.dbapi.connect(
    host="127.0.0.1", port=int(sys.argv[1]), user="engines",
    http_scheme="http", catalog="tpch", schema="tiny"$python_verify)
cursor = connection.cursor()
cursor.execute("select count(*) from tpch.tiny.nation")
print(cursor.fetchall()[0][0])
PYTHON
}

counts_nations() { [[ $(query "select count(*) from tpch.tiny.nation") == '[[25]]' ]]; }
workers_seen() {
  query "select count(*) from system.runtime.nodes where not coordinator and state = 'active'"
}
sees_workers() { [[ $(workers_seen) == "[[$1]]" ]]; }

# ---- The cluster ----------------------------------------------------------------------------

cluster() { "$repo/scripts/cluster.sh" "$@" --dir "$work/cluster"; }

# Prints the access log of node $1 (1, 2 or 3), or of all nodes if $1 is "*". For a request of
# HTTP/2 the log has the whole URI; only the path is printed.
access_log() {
  # shellcheck disable=SC2086
  cat "$work"/cluster/node-$1/data/var/log/http-request.log | sed 's|\thttps\?://[^/\t]*/|\t/|'
}

is_ready() { curl -sf -m 3 -o /dev/null "$(node_url "$1")/v1/cluster/ready"; }
all_ready() { is_ready 0 && is_ready 1 && is_ready 2; }

# Prints the engine nodes that node $1 of the cluster lists, sorted, in one line; fails unless it
# answers 200.
listed() {
  local body
  body=$(curl -sf -m 3 "$(node_url "$1")/v1/service/$type/general") || return 1
  node_ids <<<"$body"
}

# Prints the engine nodes with services of any type that node $1 of the cluster lists; fails unless
# node $1 answers 200. An engine node has disappeared when this function does not print it.
listed_anyhow() {
  local body
  body=$(curl -sf -m 3 "$(node_url "$1")/v1/service") || return 1
  node_ids <<<"$body"
}

# Prints the sorted node ids in a lookup on stdin, without the announcements that these checks make.
# Succeeds for an empty list too, because a node that lists nothing has still answered.
node_ids() {
  { grep -o '"nodeId" *: *"[^"]*"' || true; } | cut -d'"' -f4 |
    { grep -v '^push-' || true; } | sort -u | paste -sd' '
}

all_list() {
  local i
  for i in 0 1 2; do [[ $(listed "$i") == "$1" ]] || return 1; done
}

show_lists() {
  local i
  for i in 0 1 2; do echo "      node $((i + 1)) lists: $(listed "$i")"; done
}

# Prints the number, 0 to 2, of the node that reports itself as leader. Only its own role in the
# status can be `leader`; a member's entry says voter or learner.
leader() {
  local i status
  for i in 0 1 2; do
    status=$(curl -sf -m 2 "$(node_url "$i")/v1/cluster/status") || continue
    ! grep -q '"role" *: *"leader"' <<<"$status" || { echo "$i"; return 0; }
  done
  return 1
}

has_leader() { leader >/dev/null; }
