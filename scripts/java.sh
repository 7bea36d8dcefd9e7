# shellcheck shell=bash
# Finds or installs Java tools. Sourced by tests/engines/run, tests/compat/run and others.

# Prints the feature version of the Java in home $1, for example 17.
java_version() {
  "$1/bin/java" -version 2>&1 | sed -n '1,/version/s/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p'
}

# Prints the home of a Java of version $1 to $2 that has the program $3 (java, or javac for a full
# JDK). Checks JAVA_HOME, the system's JDKs, then the PATH: many machines have several JDKs, and
# JAVA_HOME often names another version.
find_java() {
  local min=$1 max=$2 program=$3 home on_path version
  on_path=$(readlink -f "$(command -v "$program" || echo /)")
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/* "${on_path%/bin/*}"; do
    [[ -n $home && -x $home/bin/$program && -x $home/bin/java ]] || continue
    version=$(java_version "$home")
    if [[ -n $version ]] && ((version >= min && version <= max)); then
      printf '%s\n' "$home"
      return 0
    fi
  done
  return 1
}

# Installs packages if no confirmation is needed: as root, with apt.
apt_install() {
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
  echo "installing $*" >&2
  DEBIAN_FRONTEND=noninteractive timeout 600 \
    apt-get -qq -y install --no-install-recommends "$@" >/dev/null 2>&1 && return 0
  timeout 300 apt-get -qq update >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive timeout 600 \
    apt-get -qq -y install --no-install-recommends "$@" >/dev/null 2>&1
}

# Finds a Java as find_java does, or installs package $4 and repeats the search.
need_java() {
  find_java "$1" "$2" "$3" || { apt_install "$4" && find_java "$1" "$2" "$3"; }
}

need_maven() {
  command -v mvn >/dev/null || apt_install maven || {
    echo "Maven (mvn) is not installed, and installing it failed:" \
      "https://maven.apache.org/install.html" >&2
    return 1
  }
}
