# shellcheck shell=bash disable=SC2154
# Downloads the engine and its clients into the cache. Sourced by tests/engines/run.

# fetch ARTIFACT DIRECTORY: copies the artifact there, or prints Maven's output and fails.
fetch() {
  need_maven || exit 2
  echo "fetching $1"
  timeout --foreground 3600 mvn -q -B -ntp \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="$1" -DoutputDirectory="$2" >"$2/fetch.log" 2>&1 || {
    tail -n 20 "$2/fetch.log" >&2
    return 1
  }
}

# Downloads the engine into the cache, without unused plugins. The download is renamed into its
# place when it is complete, so an interrupted download is not used.
fetch_engine() {
  home=$cache/$server-$version
  [[ ! -d $home/lib || ! -d $home/plugin/tpch ]] || return 0
  local part
  part=$(new_part) || exit 2
  if fetch "$artifact" "$part" && tar -xzf "$part/$server-$version.tar.gz" -C "$part"; then
    # Plugins are deleted only after unpacking, because jars that several plugins share are hard
    # links in the archive.
    find "$part/$server-$version/plugin" -mindepth 1 -maxdepth 1 ! -name tpch -exec rm -rf {} +
    rm -rf "$home" && mv "$part/$server-$version" "$home" && rm -rf "$part"
  else
    rm -rf "$part"
    die "could not fetch $artifact"
  fi
}

# Downloads the engine's command line into the cache, and its Python client into a virtual
# environment there.
fetch_clients() {
  local part
  cli=$cache/$cli_jar python=$cache/python-${python_client%%=*}
  [[ -s $cli && -x $python/bin/python ]] && return 0
  part=$(new_part) || exit 2
  if [[ ! -s $cli ]]; then
    { fetch "$cli_artifact" "$part" && mv "$part/$cli_jar" "$cli"; } || {
      rm -rf "$part"
      die "could not fetch $cli_artifact"
    }
  fi
  if [[ ! -x $python/bin/python ]]; then
    echo "fetching $python_client for Python"
    rm -rf "$python"
    # The virtual environment is built in its final place, because its programs contain its path.
    # `python` is linked last, so that an incomplete environment is not used.
    { make_venv &&
      timeout 300 "$python/bin/pip" install -q "$python_client" >"$part/pip.log" 2>&1; } || {
      cat "$part/pip.log" >&2
      rm -rf "$part" "$python"
      die "could not install $python_client with pip"
    }
  fi
  rm -rf "$part"
}

make_venv() {
  python3 -m venv "$python" >/dev/null 2>&1 ||
    { apt_install python3-venv && python3 -m venv "$python"; }
}

new_part() {
  { mkdir -p "$cache" && mktemp -d "$cache/part.XXXXXX"; } ||
    die "cannot write to $cache: choose another directory with --cache"
}
