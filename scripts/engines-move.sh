# shellcheck shell=bash disable=SC2034,SC2154
# What scripts/engines proves of addresses: a coordinator that moves, and nodes that hold lookups and die. To be sourced by it.

coordinators() { curl -sf -m 3 "$(node_url 0)/v1/service/$type-coordinator/general" | node_ids; }
lists_coordinator() { [[ " $(coordinators) " == *" $1 "* ]]; }

# ask_until_right NAME COMMAND...: in the background; asks again when it fails. NAME.asked: "end-in-ms tries last-answer".
ask_until_right() {
  local name=$1
  shift
  rm -f "$work/$name.asked"
  {
    for ((tries = 1; tries <= 5; tries++)); do
      answer=$("$@")
      [[ $answer != 25 ]] || break
      sleep 0.2
    done
    echo "$(now_ms) $tries $(paste -sd' ' <<<"$answer" | cut -c1-300)" >"$work/$name.asked"
  } &
  asked_pids+=($!)
}

# Both clients know one node of the cluster each, before and after.
check_moved() {
  local announced both cli_end cli_tries cli_answer py_end py_tries py_answer asked_pids=()
  check "the $cli_name asks node 2 of quorate, and is answered by the coordinator" test "$(ask_cli 1)" = 25
  check "so does the Python client, $python_client, at node 3" test "$(ask_python 2)" = 25
  end_engine coordinator KILL 5
  start_engine coordinator2 3 "$(by_inventory 1)"
  POLL_S=0.02 within 120 lists_coordinator coordinator2 || { fail "the new coordinator announces itself"; return; }
  both=$(coordinators)
  ask_until_right cli ask_cli 1
  ask_until_right python ask_python 2
  wait "${asked_pids[@]}"
  announced=$(writes_of PUT coordinator2 0 | head -n 1 | cut -d' ' -f2)
  read -r cli_end cli_tries cli_answer <"$work/cli.asked"
  read -r py_end py_tries py_answer <"$work/python.asked"
  check "the coordinator is killed with -9 and started on another port as coordinator2: the dead one is listed still ($both)" \
    test "$both" = "coordinator coordinator2"
  check "the $cli_name, not changed, has its answer $((cli_end - announced)) ms after the announcement of coordinator2 ($cli_tries tries)" \
    test "$cli_answer $cli_tries" = "25 1"
  [[ $cli_answer == 25 ]] || echo "      $cli_answer"
  check "so has the Python client, $((py_end - announced)) ms after it ($py_tries tries)" test "$py_answer $py_tries" = "25 1"
  [[ $py_answer == 25 ]] || echo "      $py_answer"
  engine_url=$(slot_url 3) everyone="coordinator2 worker1 worker2"
  within 45 all_list "$everyone"
  check "the dead one leaves the list by max-age" all_list "$everyone"
  within 60 sees_workers 2
  check "the new coordinator sees two active workers" sees_workers 2
}

# Each node is killed in turn, so that each engine node loses the one that holds its lookup once at least.
check_holders_killed() {
  local i name first_kill="" cut most open
  begin_load
  for i in 1 2 3; do
    # Long enough for lookups to be held again after the last change of what is held.
    sleep 4
    first_kill=${first_kill:-$(now_ms)}
    cluster kill "$i" >/dev/null || fail "node $i can be killed"
    sleep 5
    cluster restart "$i" >/dev/null || fail "node $i starts again"
    within 20 all_ready || fail "node $i is ready again"
  done
  sleep 15
  end_load "while the nodes that hold lookups are killed in turn"
  settle_logs
  for name in coordinator2 worker1 worker2; do
    read -r cut most open < <(lookups_of "$name" | awk -v from="$((first_kill - 25000))" '$1 >= from' | cut_lookups)
    check "$name, with service-inventory.uri, lost $cut held lookups with them, and was answered or held by another node $most ms later at most" \
      test "$cut" -ge 1 -a "$most" -le 5000 -a "$open" = 0
  done
}

# Of lookups as lookups_of prints them: how many failed, the longest time from one that did to one that did not, how many to none.
cut_lookups() {
  awk '$3 == 200 || $3 == 304 { if (since) { if ($1 - since > most) most = $1 - since; since = 0 } next }
    { cut++; if (!since) since = $2 }
    END { print cut + 0, most + 0, since ? 1 : 0 }'
}
