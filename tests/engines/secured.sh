# shellcheck shell=bash disable=SC2034,SC2154
# The secured mode: nodes and engines have a shared secret. Sourced by tests/engines/run.

secret="" cluster_secret=() engine_secret=()
declare -A tokens=()

new_secret() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }

# Makes the secret, the settings with which the cluster and the engine use it, and a token for each
# node that these checks announce.
use_secret() {
  secret=$(new_secret)
  (umask 077 && printf '%s\n' "$secret" >"$work/secret") || return 1
  cluster_secret=(--set "internal-communication.shared-secret-file=$work/secret")
  engine_secret=("internal-communication.shared-secret=$secret" "${secret_settings[@]}")
  local name
  for name in push-a push-b push-c; do tokens[$name]=$(make_token "$name") || return 1; done
}

# Prints the header with the token of node $1. Without a secret the header is empty, and curl does
# not send it.
proof() { printf 'X-Presto-Internal-Bearer: %s' "${tokens[$1]:-}"; }

# Prints a token with which node $1 proves for an hour that it has the secret. The token has
# Presto's form, which the cluster also accepts while it serves Trino.
make_token() {
  python3 - "$1" "$secret" <<'PYTHON'
import base64, hashlib, hmac, json, sys, time

def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

node, secret = sys.argv[1:]
claims = {"sub": node, "exp": int(time.time()) + 3600}
signed = b".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
key = hashlib.sha256(secret.encode()).digest()
signature = hmac.new(key, signed, hashlib.sha256).digest()
print((signed + b"." + encoded(signature)).decode())
PYTHON
}

requires_proof() {
  curl -sf -m 3 "$(node_url "$1")/v1/cluster/status" | grep -q '"security" *: *"required"'
}
all_require_proof() { requires_proof 0 && requires_proof 1 && requires_proof 2; }

check_security() {
  check "every node requires proofs of the shared secret" all_require_proof
}

# Checks that a coordinator without the secret and one with another secret are refused. They use the
# port of the first coordinator, which check_moved has killed.
check_refused() {
  # start_engine reads this variable of its caller.
  local engine_secret=()
  # With https.required, an engine without a secret does not start.
  [[ -n $https ]] || refuse secretless "without the secret" "$unproved"
  engine_secret=("internal-communication.shared-secret=$(new_secret)" "${secret_settings[@]}")
  local reason="no shared secret of this node made this signature"
  # Automatic certificates are derived from the secret, so that the handshake fails already.
  [[ $https != automatic ]] || reason="SSLHandshakeException"
  refuse stranger "with another secret" "$reason"
}

# refuse NAME WHICH REASON: starts a coordinator, and checks that no node lists it and that its own
# log has the reason.
refuse() {
  local name=$1 title="a coordinator $2" i listed_by="" line
  start_engine "$name" 0 "$(at_node 0)"
  within 120 grep -qF "$3" "$work/$name.log"
  line=$(grep -F "$3" "$work/$name.log" | head -n 1 | without_colors)
  check "$title is refused, and its own log has the reason" test -n "$line"
  [[ -z $line ]] || echo "      $(cut -c1-400 <<<"$line")"
  # The coordinator announces itself again in this time.
  sleep 20
  for i in 0 1 2; do gone "$name" "$i" || listed_by+=" $((i + 1))"; done
  check "$title is listed by no node" test -z "$listed_by"
  check "all nodes still list the others, and a query still returns 25" others_work
  end_engine "$name" TERM 60 || end_engine "$name" KILL 5
  echo "      node 1: $(grep -F "$3" "$work/cluster/node-1/quorate.log" | head -n 1 | cut -c1-400)"
}

others_work() { all_list "$everyone" && counts_nations; }
