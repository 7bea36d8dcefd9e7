# shellcheck shell=bash disable=SC2034,SC2154
# The HTTPS mode: nodes and engines use HTTPS, with certificates of an authority or with automatic
# ones. Sourced by tests/engines/run, after secured.sh.

# https is `store`, `automatic` or empty. The engine's requests to the cluster and between its own
# nodes then use HTTPS. Its plain port stays open for the queries of these checks.
https="" node_https=() engine_https=()
# How the Python client trusts the coordinator's certificate.
python_trust=() python_verify=""

https_url() { printf 'https://127.0.0.1:%s' "$((port + 9 + $1))"; }

# Prints the URL at which engines reach node $1.
engines_url() { if [[ -n $https ]]; then https_url "$1"; else node_url "$1"; fi; }

# Makes the certificates, and the settings with which the cluster and the engine use them.
use_https() {
  engine_https=(http-server.https.enabled=true internal-communication.https.required=true)
  if [[ $https == automatic ]]; then
    # The engine derives its certificates from its secret.
    node_https=("http-server.https.automatic-shared-secret=$secret")
    # Clients without the secret cannot check such a certificate. The variables would take
    # precedence over `verify`.
    python_trust=(-u REQUESTS_CA_BUNDLE -u CURL_CA_BUNDLE) python_verify=", verify=False"
    return
  fi
  make_certificates >"$work/certificates.log" 2>&1 || {
    cat "$work/certificates.log" >&2
    return 1
  }
  node_https=("http-server.https.keystore.path=$work/node.pem")
  python_trust=("REQUESTS_CA_BUNDLE=$work/ca.pem")
  local prefix
  for prefix in http-server internal-communication; do
    engine_https+=("$prefix.https.keystore.path=$work/engine.p12"
      "$prefix.https.keystore.key=$STORE_PASSWORD")
  done
  engine_https+=("internal-communication.https.truststore.path=$work/ca.pem")
}

readonly STORE_PASSWORD=changeit

# Makes an authority, a PEM file for the nodes, and a PKCS #12 file for the engines.
make_certificates() {
  local name
  (
    umask 077 && cd "$work" || exit 1
    p256=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    openssl req -x509 "${p256[@]}" -keyout ca.key -out ca.pem -days 2 -subj "/CN=authority" ||
      exit 1
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' >san
    for name in node engine; do
      openssl req "${p256[@]}" -keyout "$name.key" -out "$name.csr" -subj "/CN=$name" &&
        openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
          -extfile san -out "$name.crt" || exit 1
    done
    cat node.key node.crt >node.pem &&
      openssl pkcs12 -export -inkey engine.key -in engine.crt -certfile ca.pem -name engine \
        -passout "pass:$STORE_PASSWORD" -out engine.p12
  )
}

# Opens the port for HTTPS on each node in turn, as an operator does on a running cluster.
open_https() {
  local i
  for i in 0 1 2; do
    printf '%s\n' http-server.https.enabled=true "http-server.https.port=$((port + 9 + i))" \
      "${node_https[@]}" >>"$work/cluster/node-$((i + 1))/etc/config.properties"
    cluster restart "$((i + 1))" >"$work/https-$i.log" 2>&1 && within 15 is_ready "$i" || {
      cat "$work/https-$i.log" >&2
      return 1
    }
  done
}

# Checks that every engine node has an address for HTTPS.
check_https() {
  local addresses
  addresses=$(curl -sf -m 3 "$(node_url 0)/v1/service/$type/general" |
    grep -o '"https" *: *"https://' | wc -l)
  check "all three engine nodes announce an address for HTTPS" test "$addresses" = 3
}
