# shellcheck shell=bash disable=SC2154
# Downloads the engine and its clients into the cache. Sourced by tests/engines/run.

readonly DEPENDENCY_PLUGIN=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

# maven DIRECTORY ARGUMENT...: runs Maven with a log in the directory, and prints the log if Maven
# fails.
maven() {
  local log=$1/fetch.log
  shift
  need_maven || exit 2
  timeout --foreground 3600 mvn -q -B -ntp "$@" >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    return 1
  }
}

# fetch ARTIFACT DIRECTORY: copies the artifact there.
fetch() {
  echo "fetching $1"
  maven "$2" "$DEPENDENCY_PLUGIN:copy" -Dartifact="$1" -DoutputDirectory="$2"
}

# fetch_closure ARTIFACT PART DIRECTORY: copies a jar and all jars that it needs to the directory,
# in the versions of the engine's release. Files that are not part of the engine go to PART.
fetch_closure() {
  echo "fetching $1 and what it needs"
  write_pom "$1" >"$2/pom.xml" && maven "$2" -f "$2/pom.xml" \
    "$DEPENDENCY_PLUGIN:copy-dependencies" -DincludeScope=runtime -DoutputDirectory="$3"
}

# Prints the description of a project that needs only artifact $1.
write_pom() {
  local group name version bom_group bom_name bom_version
  IFS=: read -r group name version <<<"$1"
  IFS=: read -r bom_group bom_name bom_version <<<"$bom"
  cat <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>quorate</groupId><artifactId>engine</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencyManagement><dependencies><dependency>
    <groupId>$bom_group</groupId><artifactId>$bom_name</artifactId><version>$bom_version</version>
    <type>pom</type><scope>import</scope>
  </dependency></dependencies></dependencyManagement>
  <dependencies><dependency>
    <groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version>
  </dependency></dependencies>
</project>
POM
}

# Downloads the engine into the cache, without unused plugins. The download is renamed into its
# place when it is complete, so an interrupted download is not used.
fetch_engine() {
  home=$cache/$server-$version
  [[ ! -d $home/lib || ! -d $home/plugin/tpch ]] || return 0
  local part made
  part=$(new_part) || exit 2
  made=$part/$server-$version
  if case $artifact in
    *:tar.gz) fetch_archive "$part" "$made" ;;
    *) fetch_jars "$part" "$made" ;;
  esac; then
    rm -rf "$home" && mv "$made" "$home" && rm -rf "$part"
  else
    rm -rf "$part"
    die "could not fetch $artifact"
  fi
}

# fetch_archive PART MADE: makes the engine's directory from its archive.
fetch_archive() {
  fetch "$artifact" "$1" && tar -xzf "$1/$server-$version.tar.gz" -C "$1" || return 1
  # Plugins are deleted only after unpacking, because jars that several plugins share are hard links
  # in the archive.
  find "$2/plugin" -mindepth 1 -maxdepth 1 ! -name tpch -exec rm -rf {} +
}

# fetch_jars PART MADE: makes the engine's directory from the jars of its modules, because Maven
# Central does not have the archives of newer releases.
fetch_jars() {
  fetch_closure "$artifact" "$1" "$2/lib" &&
    fetch_closure "$plugin" "$1" "$2/plugin/tpch" || return 1
  [[ $main != StartTrino ]] || add_trino_jars "$1" "$2"
}

# add_trino_jars PART MADE: adds two things that are only in Trino's archive: a class with a `main`,
# and the file that names the plugin's class.
add_trino_jars() {
  local services=$1/META-INF/services
  mkdir -p "$services" "$1/classes" || return 1
  echo io.trino.plugin.tpch.TpchPlugin >"$services/io.trino.spi.Plugin"
  # Nodes accept each other only if they have the same version.
  cat >"$1/$main.java" <<JAVA
public final class $main {
    public static void main(String[] arguments) {
        new io.trino.server.Server().start("$version");
    }
}
JAVA
  "$java_home/bin/javac" --release "${java_range[0]}" -cp "$2/lib/*" -d "$1/classes" \
    "$1/$main.java" &&
    "$java_home/bin/jar" --create --file "$2/lib/start.jar" -C "$1/classes" . &&
    "$java_home/bin/jar" --create --file "$2/plugin/tpch/services.jar" -C "$1" META-INF
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
