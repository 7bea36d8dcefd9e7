# shellcheck shell=bash disable=SC2154
# Checks of failures: nodes of the cluster and engine nodes, killed and stopped. Sourced by
# tests/engines/run.

check_start() {
  within 120 all_list "$everyone"
  check "every node lists the same three engine nodes: $everyone" all_list "$everyone"
  all_list "$everyone" || show_lists
  within 60 sees_workers 2
  check "the coordinator sees two active workers" sees_workers 2
  check "select count(*) from tpch.tiny.nation is 25" counts_nations
}

# Sends one query a second until the file `stop` exists. Each query has its own process, so that a
# slow one does not delay the next.
load_queries() {
  while [[ ! -e $work/stop ]]; do
    {
      rows=$(query "select count(*) from tpch.tiny.nation")
      echo "${rows:-no rows}" | paste -sd' ' >>"$work/queries"
    } &
    sleep 1
  done
  wait
}

# Records the list of each node twice a second, if the node answers.
load_lists() {
  local i ids
  while [[ ! -e $work/stop ]]; do
    for i in 0 1 2; do ! ids=$(listed "$i") || echo "node $((i + 1)): $ids" >>"$work/lists"; done
    sleep 0.5
  done
}

# Records how many workers the coordinator sees. It is not part of load_lists, because this query is
# slow on a busy machine.
load_workers() {
  while [[ ! -e $work/stop ]]; do
    echo "workers: $(workers_seen | paste -sd' ')" >>"$work/lists"
    sleep 1
  done
}

begin_load() {
  rm -f "$work/stop" && : >"$work/queries" && : >"$work/lists"
  load_queries & load_pids+=($!)
  load_lists & load_pids+=($!)
  load_workers & load_pids+=($!)
}

# end_load WHEN: checks that no query has failed since begin_load, and that no worker has been
# missing from any list.
end_load() {
  local queries lists failed_queries bad_lists
  touch "$work/stop"
  wait "${load_pids[@]}" 2>/dev/null
  load_pids=()
  queries=$(wc -l <"$work/queries") failed_queries=$(grep -cvxF '[[25]]' "$work/queries")
  lists=$(wc -l <"$work/lists")
  bad_lists=$(grep -cvx -e "node [1-3]: $everyone" -e 'workers: \[\[2\]\]' "$work/lists")
  # Fewer than one query a second may run on a busy machine, but some are needed to prove anything.
  if ((queries >= 20 && failed_queries == 0)); then
    pass "no query fails $1: $queries queries"
  else
    fail "no query fails $1: $failed_queries of $queries failed"
    grep -vxF '[[25]]' "$work/queries" | sort | uniq -c | head -5
  fi
  if ((lists >= 40 && bad_lists == 0)); then
    pass "no worker leaves the list meanwhile: $lists lists, the cluster's and the coordinator's"
  else
    fail "no worker leaves the list meanwhile: $bad_lists of $lists lists are incomplete"
    grep -vx -e "node [1-3]: $everyone" -e 'workers: \[\[2\]\]' "$work/lists" |
      sort | uniq -c | head -5
  fi
}

check_leader_killed() {
  local down back
  down=$(leader) || { fail "one node reports itself as leader"; return; }
  begin_load
  sleep 3
  cluster kill "$((down + 1))" >/dev/null || fail "node $((down + 1)), the leader, can be killed"
  check "another node leads within 5 s of the leader's kill -9 (node $((down + 1)))" \
    within 5 has_leader
  sleep "$LEADER_DOWN_S"
  cluster restart "$((down + 1))" >/dev/null || fail "node $((down + 1)) starts again"
  back=0
  within 15 all_list "$everyone" || back=1
  # This is longer than max-age: an engine whose renewals had stopped with the leader would have
  # disappeared by then.
  sleep "$((MAX_AGE_MS / 1000 + 5))"
  end_load "while the leader is killed and comes back"
  ((back == 0)) && back=$(all_list "$everyone"; echo $?)
  check "the killed leader is back and lists the same engine nodes" test "$back" = 0
}

# gone NAME NODE: succeeds if node NODE answers and lists no service of NAME at all.
gone() {
  local ids
  ids=$(listed_anyhow "$2") && [[ " $ids " != *" $1 "* ]]
}

# Prints start and end, in ms, of the last renewal of engine node $1 that any node accepted, from
# the access logs.
last_renewal() {
  local line
  line=$(access_log "*" | awk -F'\t' -v path="/v1/announcement/$1" \
    '$3 == "PUT" && $4 == path && $7 == 202 { print $1, $10 }' | sort | tail -n 1)
  [[ -n $line ]] || return 1
  local start_ms
  start_ms=$(date -d "${line% *}" +%s%3N) && echo "$start_ms $((start_ms + ${line#* }))"
}

check_worker_killed() {
  local title="a worker killed with -9 is gone from every node between max-age and max-age + 2 s"
  title+=" after its last renewal"
  local i before renewed renewal_end deadline after_ms=("" "" "") wrong=0
  local gone_ms=("" "" "") seen_ms=(0 0 0)
  end_engine worker1 KILL 5
  deadline=$(($(now_ms) + MAX_AGE_MS + 12000))
  while [[ -z ${gone_ms[0]} || -z ${gone_ms[1]} || -z ${gone_ms[2]} ]] &&
    (($(now_ms) < deadline)); do
    for i in 0 1 2; do
      [[ -z ${gone_ms[$i]} ]] || continue
      before=$(now_ms)
      if gone worker1 "$i"; then gone_ms[i]=$(now_ms); else seen_ms[i]=$before; fi
    done
    sleep 0.1
  done
  renewed=$(last_renewal worker1) || { fail "$title: no access log has a renewal of it"; return; }
  read -r renewed renewal_end <<<"$renewed"
  for i in 0 1 2; do
    [[ -n ${gone_ms[$i]} ]] || { wrong=1; continue; }
    after_ms[i]=$((gone_ms[i] - renewed))
    # The worker disappears too early if a lookup that ended before max-age did not show it. It
    # disappears too late if a lookup that began after max-age + 2 s still showed it. A slow lookup
    # on a busy machine is therefore no failure.
    ((gone_ms[i] >= renewed + MAX_AGE_MS && seen_ms[i] <= renewal_end + MAX_AGE_MS + 2000)) ||
      wrong=1
  done
  check "$title: ${after_ms[0]:-?}, ${after_ms[1]:-?}, ${after_ms[2]:-?} ms" test "$wrong" = 0
}

check_worker_stopped() {
  local from_ms i left=0
  from_ms=$(now_ms)
  stop_worker2 || return 0
  # The worker must be absent from the first lookup on each node; the lookup is not repeated.
  for i in 0 1 2; do gone worker2 "$i" || left=1; done
  local took_ms=$(($(now_ms) - from_ms))
  local title="a worker stopped cleanly is gone from every node at once:"
  title+=" $took_ms ms from SIGTERM to the third lookup"
  ((left == 0 && took_ms < 10000))
  check "$title" test $? = 0
}

check_workers_again() {
  start_worker worker1 1 "$(at_front)"
  start_worker worker2 2 "$(by_inventory "$(engines_url 0)")"
  within 120 all_list "$everyone"
  local title="both workers, started again, one behind nginx and one with service-inventory.uri,"
  check "$title are listed by every node" \
    all_list "$everyone"
  within 60 sees_workers 2 || fail "the coordinator sees both workers again"
}

check_cluster_killed() {
  local i ids first=("" "" "") pids=() deadline wrong=0
  for i in 1 2 3; do cluster kill "$i" >/dev/null & pids+=($!); done
  wait "${pids[@]}"
  for i in 0 1 2; do
    ! listed "$i" >/dev/null || { fail "node $((i + 1)) is down after kill -9"; return; }
  done
  pids=()
  for i in 1 2 3; do cluster restart "$i" >"$work/restart-$i.log" 2>&1 & pids+=($!); done
  deadline=$((SECONDS + 20))
  while [[ -z ${first[0]} || -z ${first[1]} || -z ${first[2]} ]] && ((SECONDS < deadline)); do
    for i in 0 1 2; do
      [[ -n ${first[$i]} ]] || ! ids=$(listed "$i") || first[i]=${ids:-none}
    done
    sleep 0.05
  done
  wait "${pids[@]}"
  for i in 0 1 2; do [[ ${first[$i]} == "$everyone" ]] || wrong=1; done
  local title="the whole cluster killed with -9 and restarted:"
  check "$title the first lookup on every node lists all three engine nodes" \
    test "$wrong" = 0
  ((wrong == 0)) || for i in 0 1 2; do
    echo "      node $((i + 1)) listed first: ${first[$i]:-(no answer)}"
  done
  check "a query still returns 25" counts_nations
}
