# shellcheck shell=bash disable=SC2154
# Checks of held lookups: their number, and the time until a change reaches the engine. Sourced by
# tests/engines/run.

readonly IDLE_S=63              # three times 20 s held and 1 s between
readonly PUSHED_MS=100          # limit to reach the discovery client while its lookup is held
readonly CHANGES=20             # announced and withdrawn in turn

# Prints the lookups of engine node $1 from the log of its discovery client: "start end status" in
# ms, in order.
lookups_of() {
  local log=$work/$1/var/log/discovery-http-client.log
  awk -F'\t' -v path="/v1/service/$type/general" \
    '$3 == "GET" && substr($4, length($4) - length(path) + 1) == path {
      print $1 "\t" $12 "\t" $5 "\t" $4 }' "$log" |
    with_ms | awk -F'\t' '{ printf "%s %.0f %s %s\n", $1, $1 + $2, $3, $4 }' | sort -n
}

# Replaces the time in the first column of stdin by ms since 1970.
with_ms() {
  local lines
  lines=$(cat)
  paste <(cut -f1 <<<"$lines" | date -f - +%s%3N) <(cut -f2- <<<"$lines")
}

# Prints the writes of node $2 that the cluster accepted from time $3 on: announcements if $1 is
# PUT, withdrawals if it is DELETE. Each is "start end" in ms, in order.
writes_of() {
  access_log "*" | awk -F'\t' -v method="$1" -v path="/v1/announcement/$2" \
    '$3 == method && $4 == path && $7 ~ /^20/ { print $1 "\t" $10 }' | with_ms |
    awk -F'\t' -v from="$3" '$1 >= from { printf "%s %.0f\n", $1, $1 + $2 }' | sort -n
}

# For each change on stdin, "start end name", prints "held|pause ms name". The first word says
# whether the coordinator's discovery client had a lookup under way when the change began. The time
# is that from the change's acknowledgement until the client received an answer given after the
# change began. Between two lookups the client pauses for 1 s, as the max-age header requires.
known_after() {
  awk 'NR == FNR { if ($3 == 200) { n++; s[n] = $1; e[n] = $2 } next }
    { for (i = 1; i <= n; i++) if (e[i] >= $1) break
      if (i > n) { print "never", "-", $3; next }
      after = e[i] - $2; if (after < 0) after = 0
      print (s[i] <= $1 ? "held" : "pause"), after, $3 }' <(lookups_of coordinator) -
}

# Waits until the clients' logs are complete: they are written once a second.
settle_logs() { sleep 2.5; }

check_idle() {
  local title="an engine node sends one lookup every 20 s to an idle cluster"
  local from_ms name log counts="" wrong=0 count path="/v1/service/$type/general"
  title+=", not every 10 s: lookups in $IDLE_S s"
  from_ms=$(now_ms)
  sleep "$IDLE_S"
  settle_logs
  for name in $lookers; do
    log=$(access_log "*" |
      awk -F'\t' -v name="$name" -v path="$path" '$3 == "GET" && $4 == path && $6 == name {
        print $1 "\t" $4 "\t" $7 "\t" $10 }' |
      with_ms | awk -F'\t' -v from="$from_ms" '$1 >= from && $1 < from + 1000 * '"$IDLE_S")
    count=$(grep -c . <<<"$log")
    counts+=" $name $count ($(cut -f3 <<<"$log" | sort | uniq -c |
      awk '{ printf "%s%s x %s", sep, $1, $2; sep = ", " }'));"
    ((count >= 2 && count <= 4)) || wrong=1
  done
  check "$title:${counts%;}" test "$wrong" = 0
}

# Checks the protocol of the engine's requests to the nodes, and that its lookups are held, by the
# access logs: a lookup that nothing changes is answered with 304 after discovery.hold-time.
check_protocol() {
  local requests others held
  requests=$(access_log "*" | awk -F'\t' '$6 ~ /^(coordinator|worker[12])$/')
  others=$(awk -F'\t' -v protocol="$protocol" '$12 != protocol' <<<"$requests" | wc -l)
  held=$(awk -F'\t' '$3 == "GET" && $7 == 304 { print $10 }' <<<"$requests" | sort -n)
  check "the engine nodes use $protocol: $(wc -l <<<"$requests") requests, $others of them not" \
    test "$others" = 0
  check "lookups without a change were held: 304 after $(median_and_most <<<"$held") ms" \
    test "$(head -n 1 <<<"$held" | cut -d. -f1)" -ge 19000
}

# Announces a service without the engine's version. The engine's discovery client receives it, but
# the engine's list of nodes omits it.
announce() {
  curl -sf -m 5 -o /dev/null -X PUT -H "$(proof "$1")" -H 'Content-Type: application/json' \
    "$(node_url 1)/v1/announcement/$1" -d \
    '{"environment":"engines","nodeId":"'"$1"'","pool":"general","location":"/'"$1"'","services":[
      {"id":"00000000-0000-4000-9000-000000000001","type":"'"$type"'","properties":{}}]}'
}
withdraw() {
  curl -sf -m 5 -o /dev/null -X DELETE -H "$(proof "$1")" "$(node_url 1)/v1/announcement/$1"
}

# Makes many small changes, each while the coordinator's lookup is held. After every fourth change,
# it makes one more within the client's pause.
check_push() {
  local i from_ms results held
  from_ms=$(now_ms)
  for ((i = 1; i <= CHANGES; i++)); do
    # The client pauses for 1 s after each answer. This sleep is longer, so the next lookup is held
    # by then.
    sleep "1.$((RANDOM % 5 + 3))"
    if ((i % 2)); then announce push-a; else withdraw push-a; fi || fail "change $i is accepted"
    ((i % 4)) || { sleep "0.$((RANDOM % 6 + 1))"; announce push-b; sleep 1.5; withdraw push-b; }
  done
  settle_logs
  results=$({ for i in push-a push-b; do
    writes_of PUT "$i" "$from_ms" | sed "s/$/ $i/"
    writes_of DELETE "$i" "$from_ms" | sed "s/$/ $i/"
  done; } | sort -n | known_after)
  report_push "a change of an announcement reaches the coordinator's discovery client" \
    "$((CHANGES * 3 / 4))" "$results"
}

# report_push TITLE ATLEAST RESULTS: checks the output of known_after; at least ATLEAST changes must
# have arrived while a lookup was held.
report_push() {
  local held late title
  held=$(grep -c '^held' <<<"$3")
  late=$(awk -v limit="$PUSHED_MS" '$1 == "never" || ($1 == "held" && $2 > limit)' <<<"$3" | wc -l)
  title="$1 within $PUSHED_MS ms: ms after its acknowledgement:"
  title+=" $(sed -n 's/^held \([0-9]*\).*/\1/p' <<<"$3" | median_and_most)"
  check "$title of $held while a lookup was held" \
    test "$late" = 0 -a "$held" -ge "$2"
  ((late == 0)) || awk '{ print "      " $0 }' <<<"$3"
  title="      and during the client's own pause of 1 s:"
  title+=" $(sed -n 's/^pause \([0-9]*\).*/\1/p' <<<"$3" | median_and_most)"
  check "$title of $(grep -c '^pause' <<<"$3")" \
    test "$(awk '$1 == "pause" && $2 > 1100' <<<"$3" | wc -l)" = 0
}

# ---- Real workers ---------------------------------------------------------------------------

# Records that a real worker starts or stops, as a line of $work/events: "start|stop name since-ms".
note_event() { echo "$*" >>"$work/events"; }

start_worker() {
  note_event start "$1" "$(now_ms)"
  start_engine "$@"
}

# Stops worker2 cleanly and records the stop. If worker2 does not end, it is killed and the stop is
# not recorded, because worker2 may not have withdrawn itself. This is a failure unless the engine
# is known to hang.
stop_worker2() {
  local since
  since=$(now_ms)
  if end_engine worker2 TERM 60; then
    note_event stop worker2 "$since"
    return 0
  fi
  end_engine worker2 KILL 5
  if ((hangs == 1)); then
    echo "SKIP  worker2 has not ended 60 s after SIGTERM, as this engine does at times"
  else
    fail "worker2 ends within 60 s of SIGTERM"
  fi
  return 1
}

lists_all() { [[ $(listed 0) == "$everyone" ]]; }

# Prints the time in ms, from the coordinator's log, at which the coordinator itself last noticed
# that worker2 is missing. Until then a query could be scheduled on the lost worker and hang. Trino
# 483 logs the address of a node instead of its id, and colors its log.
missed_worker2() {
  local line
  line=$(grep -E "Previously active node is missing: (worker2 |$(slot_url 2))" \
    "$work/coordinator.log" |
    tail -n 1 | without_colors | cut -f1)
  [[ -n $line ]] && date -d "$line" +%s%3N
}
missed_since() { local at; at=$(missed_worker2) && ((at >= $1)); }

check_workers_come_and_go() {
  local i stopped noticed=()
  for i in 1 2; do
    stopped=$(now_ms)
    # Trino 483 takes half a minute. A worker that had to be killed is listed until max-age.
    if stop_worker2; then
      within 45 missed_since "$stopped" && noticed+=($(($(missed_worker2) - stopped)))
    else
      within 45 missed_since "$stopped"
    fi
    start_worker worker2 2 "$(by_inventory "$(engines_url 0)")"
    within 120 lists_all || fail "worker2 is listed again"
    within 60 sees_workers 2 || fail "the coordinator sees worker2 again"
  done
  echo "      the engine's own list of nodes no longer had the worker" \
    "${noticed[*]:-(never)} ms after SIGTERM"
}

# Checks when each event in $work/events reached the coordinator: after a start, the first
# announcement; after a stop, the withdrawal.
check_workers_pushed() {
  local what name since method results
  settle_logs
  results=$(while read -r what name since; do
    [[ $what == start ]] && method=PUT || method=DELETE
    writes_of "$method" "$name" "$since" | head -n 1 | sed "s/$/ $name-$what/"
  done <"$work/events" | sort -n | known_after)
  check \
    "each worker joined or stopped with a single write: $(wc -l <"$work/events")" \
    test "$(wc -l <<<"$results")" = "$(wc -l <"$work/events")"
  report_push "a worker's start or stop reaches the coordinator's discovery client" 1 \
    "$results"
  awk '{ printf "      %s: %s, %s ms\n", $3, $1, $2 }' <<<"$results"
}
