# shellcheck shell=bash disable=SC2034
# Describes the engines that can be tested. Sourced by tests/engines/run.

# Sets what distinguishes engine $1 from the others.
choose_engine() {
  case $1 in
    trino)
      artifact=io.trino:trino-server:476:tar.gz main=io.trino.server.TrinoServer
      type=trino user_header=X-Trino-User
      cli_artifact=io.trino:trino-cli:476:jar:executable cli_name="Trino CLI 476"
      python_client=trino==0.334.0 python_module=trino
      java_range=(24 99) java_package=openjdk-25-jre-headless java_said="24 or newer"
      jvm_flags=(--enable-native-access=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED)
      settings=() ;;
    presto)
      artifact=io.prestosql:presto-server:350:tar.gz main=io.prestosql.server.PrestoServer
      type=presto user_header=X-Presto-User
      cli_artifact=io.prestosql:presto-cli:350:jar:executable cli_name="Presto CLI 350"
      python_client=presto-python-client==0.8.4 python_module=prestodb
      java_range=(17 17) java_package=openjdk-17-jre-headless java_said=17
      jvm_flags=(--add-opens=java.base/java.lang=ALL-UNNAMED
        --add-opens=java.base/java.nio=ALL-UNNAMED)
      settings=(query.max-total-memory-per-node=300MB) ;;
    *) usage >&2; die "the engine is missing: trino or presto" ;;
  esac
  IFS=: read -r _ server version _ <<<"$artifact"
  cli_jar=${cli_artifact#*:} cli_jar=${cli_jar%%:*}-$version-executable.jar
}
