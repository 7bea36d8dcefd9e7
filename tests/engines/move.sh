# shellcheck shell=bash disable=SC2034,SC2154
# Checks of addresses: a coordinator that moves, and nodes that hold lookups and die. Sourced by
# tests/engines/run.

coordinators() { curl -sf -m 3 "$(node_url 0)/v1/service/$type-coordinator/general" | node_ids; }
lists_coordinator() { [[ " $(coordinators) " == *" $1 "* ]]; }

# ask_until_right NAME COMMAND...: repeats a command in the background until its answer is 25, the
# number of nations, at most 4 times. Writes "end-in-ms tries last-answer" to NAME.asked.
ask_until_right() {
  local name=$1 tries answer
  shift
  rm -f "$work/$name.asked"
  {
    for ((tries = 1; tries < 5; tries++)); do
      answer=$("$@")
      [[ $answer != 25 ]] || break
      sleep 0.2
    done
    echo "$(now_ms) $tries $(paste -sd' ' <<<"$answer" | cut -c1-300)" >"$work/$name.asked"
  } &
  asked_pids+=($!)
}

# Queries the coordinator at its own address, to measure the engine's own time. A user of quorate
# does not do so.
ask_directly() { query "select count(*) from tpch.tiny.nation" | tr -d '[]'; }

# Checks that clients find a moved coordinator. Each client knows only one node of the cluster,
# before and after the move.
check_moved() {
  local announced both direct name who end tries answer title asked_pids=()
  check "the $cli_name, pointed at node 2 of quorate, gets the coordinator's answer" \
    test "$(ask_cli 1)" = 25
  check "the Python client, $python_client, pointed at node 3, gets it, too" \
    test "$(ask_python 2)" = 25
  start_engine coordinator2 3 "$(by_inventory "$(front_url)")"
  # The new coordinator listens some seconds before it announces itself. The old one is not killed
  # earlier, because a slow start of the new one may take longer than max-age.
  POLL_S=0.02 within 120 listens 3
  end_engine coordinator KILL 5
  POLL_S=0.02 within 120 lists_coordinator coordinator2 || {
    fail "the new coordinator announces itself"
    return
  }
  both=$(coordinators) engine_url=$(slot_url 3) everyone="coordinator2 worker1 worker2"
  ask_until_right cli ask_cli 1
  ask_until_right python ask_python 2
  ask_until_right direct ask_directly
  wait "${asked_pids[@]}"
  announced=$(writes_of PUT coordinator2 0 | head -n 1 | cut -d' ' -f2)
  title="the coordinator is killed with -9 while coordinator2 starts on another port:"
  title+=" the dead one is still listed ($both)"
  check "$title" \
    test "$both" = "coordinator coordinator2"
  read -r direct _ <"$work/direct.asked"
  for name in cli python; do
    [[ $name == cli ]] && who="the $cli_name" || who="the Python client"
    read -r end tries answer <"$work/$name.asked"
    title="$who, unchanged, gets its answer $((end - announced)) ms after the announcement of"
    title+=" coordinator2 (at its own address: $((direct - announced)) ms)"
    check "$title" \
      test "$answer $tries" = "25 1"
    [[ $answer == 25 && $tries == 1 ]] || {
      echo "      after $tries tries: $answer"
      tail -n 5 "$work/clients.log"
    }
  done
  within 45 all_list "$everyone"
  check "the dead coordinator leaves the list after max-age" all_list "$everyone"
  within 60 sees_workers 2
  check "the new coordinator sees two active workers" sees_workers 2
}

# Prints the node, 0 to 2, that holds coordinator2's lookup: makes a change and finds the node that
# answers coordinator2 with it. That node also holds the next lookup, unless coordinator2 has read
# its inventory in between (every 10 s) and chosen another node.
holder() {
  local from_ms path="/v1/service/$type/general" i
  from_ms=$(now_ms)
  { announce push-c && sleep 1.5 && withdraw push-c && sleep 0.3; } || return 1
  for i in 0 1 2; do
    access_log "$((i + 1))" | awk -F'\t' -v path="$path" \
      '$4 == path && $6 == "coordinator2" && $7 == 200 { print $1 "\t" $10 }' |
      tail -n 1 | with_ms |
      awk -F'\t' -v from="$from_ms" -v node="$i" \
        '$1 + $2 >= from { printf "%.0f %s\n", $1 + $2, node }'
  done | sort -n | tail -n 1 | cut -d' ' -f2
}

check_holders_killed() {
  local i name down from_ms cut most open moved title
  begin_load
  from_ms=$(now_ms)
  for i in 1 2 3; do
    down=$(holder)
    [[ -n $down ]] || { fail "a node holds the lookup of coordinator2"; down=0; }
    sleep 1.2
    cluster kill "$((down + 1))" >/dev/null || fail "node $((down + 1)) can be killed"
    sleep 5
    cluster restart "$((down + 1))" >/dev/null || fail "node $((down + 1)) starts again"
    within 20 all_ready || fail "node $((down + 1)) is ready again"
  done
  sleep 12
  end_load "while the node that holds the coordinator's lookup is killed, three times"
  # holder() makes a change, which ends all held lookups. The lookups are then in the logs, which
  # contain only finished lookups.
  holder >/dev/null
  settle_logs
  for name in coordinator2 worker2; do
    looks_up "$name" || continue
    read -r cut most open < <(cut_lookups "$name" "$from_ms")
    # Up to 12 s are allowed: airlift chooses a node when it reads the inventory, every 10 s, and
    # keeps this node until it reads the inventory again.
    title="$name, with service-inventory.uri, lost $cut held lookups with the nodes,"
    title+=" and another node answered or held them at most $most ms later"
    check "$title" \
      test "$most" -le 12000 -a "$open" = 0 -a "$name$cut" != coordinator20
  done
  looks_up worker1 || return 0
  read -r cut _ < <(cut_lookups worker1 "$from_ms")
  moved=$(awk -v from="$from_ms" -v path="/v1/service/$type/general" \
    '$1 * 1000 >= from && $3 == path && /\[[0-9.:]+, / { n++ } END { print n + 0 }' \
    "$work/front/access.log")
  title="worker1, with discovery.uri at nginx, lost $cut;"
  title+=" nginx passed $moved lookups to another node"
  check "$title" test "$cut" = 0
}

# Succeeds if engine node $1 looks up others. Coordinators always do.
looks_up() { [[ $1 == coordinator* || " $lookers " == *" $1 "* ]]; }

# Prints three numbers for the lookups of engine node $1 since $2: how many were cut off by the end
# of a node, the longest time from such an end to a lookup that another node accepted, and 1 if the
# engine node still waits for such a lookup (otherwise 0). Lookups that were refused in between
# count as neither cut off nor accepted.
cut_lookups() {
  lookups_of "$1" | awk -v from="$2" '$2 < from { next }
    $3 == 200 || $3 == 304 {
      if (since) { if ($1 - since > most) most = $1 - since; since = 0 }
      next
    }
    !since { cut++; since = $2 }
    END { print cut + 0, most + 0, since ? 1 : 0 }'
}
