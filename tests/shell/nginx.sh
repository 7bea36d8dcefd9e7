# shellcheck shell=bash disable=SC2154
# Runs the real nginx with etc/nginx.conf on loopback. Sourced by tests/nginx/run and
# tests/engines/run, with `repo` and `work` set.

front_pid=""

# Debian installs nginx in /usr/sbin, which is not on every user's PATH.
need_nginx() {
  PATH=$PATH:/usr/sbin
  command -v nginx >/dev/null || apt_install nginx-light
}

# start_front P Q [R]: starts nginx on port Q, in front of nodes on ports P to P+2, and on port R
# for clients of HTTP/2. The log of nginx names every node that it tried for a request.
start_front() {
  write_front "$@" || return 1
  nginx -p "$work/front" -e "$work/front/error.log" -c "$work/front/nginx.conf" \
    >>"$work/front/console.log" 2>&1 &
  front_pid=$!
  # bash must not report the end of nginx.
  disown "$front_pid"
  within 5 curl -sf -m 3 -o /dev/null "http://127.0.0.1:$2/v1/service" || {
    cat "$work/front/error.log" "$work/front/console.log" >&2
    return 1
  }
}

# Stops nginx without a graceful shutdown, which would wait for the streams.
stop_front() {
  [[ -n $front_pid ]] || return 0
  kill -TERM "$front_pid" 2>/dev/null
  within 5 ended "$front_pid" || kill -KILL "$front_pid" 2>/dev/null
  front_pid=""
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# Writes nginx.conf to a directory of the test, for the calling user, so that the system's nginx is
# not touched.
write_front() {
  local user="" listen="listen 127.0.0.1:$2;"
  # nginx before 1.25.1 accepts only one of the two protocols on a port.
  [[ -z ${3:-} ]] || listen+=" listen 127.0.0.1:$3 http2;"
  [[ $(id -u) != 0 ]] || user="user $(id -un) $(id -gn);"
  mkdir -p "$work/front"
  sed -e "s/172\.17\.31\.245:8411/127.0.0.1:$1/" \
    -e "s/172\.17\.31\.246:8411/127.0.0.1:$(($1 + 1))/" \
    -e "s/172\.17\.31\.247:8411/127.0.0.1:$(($1 + 2))/" -e "s/listen 8411;/$listen/" \
    "$repo/etc/nginx.conf" >"$work/front/quorate.conf"
  [[ $(grep -c "127\.0\.0\.1:" "$work/front/quorate.conf") == 4 ]] || {
    echo "etc/nginx.conf has addresses that this script does not replace" >&2
    return 1
  }
  # gzip is turned on, as on many machines: etc/nginx.conf must turn it off where necessary.
  cat >"$work/front/nginx.conf" <<CONF
$user
daemon off;
worker_processes 2;
pid $work/front/pid;
error_log $work/front/error.log info;
events { worker_connections 768; }
http {
    log_format tries '\$msec \$request_method \$request_uri \$status \$request_time '
        '[\$upstream_addr] [\$upstream_status]';
    access_log $work/front/access.log tries;
    client_body_temp_path $work/front/body;
    proxy_temp_path $work/front/proxy;
    fastcgi_temp_path $work/front/fastcgi;
    uwsgi_temp_path $work/front/uwsgi;
    scgi_temp_path $work/front/scgi;
    gzip on;
    gzip_proxied any;
    gzip_types application/json text/event-stream text/plain;
    include $work/front/quorate.conf;
}
CONF
}
