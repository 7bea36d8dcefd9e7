# shellcheck shell=bash disable=SC2034
# Describes the engines that can be tested. Sourced by tests/engines/run.

readonly ENGINES="trino, presto, trino-483 or presto-0.296"

# Sets what distinguishes engine $1 from the others:
#   artifact             the server: its archive, or the jar that depends on the others
#   bom, plugin          of an engine made of jars: the list of the versions of all jars, and the
#                        connector that is queried
#   lookers              the engine nodes that look up other nodes; all nodes announce themselves
#   protocol             of the engine's requests to the cluster
#   settings             lines of every node's config.properties
#   coordinator_settings further lines of a coordinator
#   secret_settings      further lines of a node that has the shared secret
#   unproved             the reason with which the cluster refuses a node that has no secret
#   hangs                1 if SIGTERM does not always end a node
choose_engine() {
  lookers="coordinator worker1 worker2" protocol=HTTP/1.1 java_program=java
  settings=() coordinator_settings=() secret_settings=() hangs=0
  unproved="it is signed with the name of the environment, so the engine has no"
  unproved+=" internal-communication.shared-secret"
  case $1 in
    trino)
      artifact=io.trino:trino-server:476:tar.gz main=io.trino.server.TrinoServer
      cli_artifact=io.trino:trino-cli:476:jar:executable cli_name="Trino CLI 476"
      java_range=(24 99) java_package=openjdk-25-jre-headless java_said="Java 24 or newer"
      jvm_flags=(--enable-native-access=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED) ;;
    trino-483)
      # None of the jars has the class with Trino's `main`, so fetch_engine compiles such a class.
      # Compiling it needs a JDK.
      artifact=io.trino:trino-main:483 main=StartTrino
      bom=io.trino:trino-root:483 plugin=io.trino:trino-tpch:483
      # The command line of 483 is not on Maven Central.
      cli_artifact=io.trino:trino-cli:476:jar:executable cli_name="Trino CLI 476"
      java_range=(25 99) java_package=openjdk-25-jdk-headless java_said="JDK 25 or newer"
      java_program=javac
      jvm_flags=(--enable-native-access=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED
        --add-modules=jdk.incubator.vector)
      settings=(discovery.type=airlift-discovery)
      # A coordinator would otherwise start a discovery server of its own.
      coordinator_settings=(discovery-server.enabled=false)
      # Only the coordinator looks up other nodes. All nodes use HTTP/2 without asking for it first.
      lookers=coordinator protocol=HTTP/2.0 ;;
    presto)
      artifact=io.prestosql:presto-server:350:tar.gz main=io.prestosql.server.PrestoServer
      cli_artifact=io.prestosql:presto-cli:350:jar:executable cli_name="Presto CLI 350"
      java_range=(17 17) java_package=openjdk-17-jre-headless java_said="Java 17"
      jvm_flags=(--add-opens=java.base/java.lang=ALL-UNNAMED
        --add-opens=java.base/java.nio=ALL-UNNAMED)
      settings=(query.max-total-memory-per-node=300MB) ;;
    presto-0.296)
      artifact=com.facebook.presto:presto-main:0.296
      main=com.facebook.presto.server.PrestoServer
      bom=com.facebook.presto:presto-root:0.296 plugin=com.facebook.presto:presto-tpch:0.296
      # The command line of 0.296 is not on Maven Central.
      cli_artifact=com.facebook.presto:presto-cli:0.287:jar:executable cli_name="Presto CLI 0.287"
      java_range=(17 17) java_package=openjdk-17-jre-headless java_said="Java 17"
      opens java.{io,lang,lang.ref,lang.reflect,net,nio,security,text,util} \
        java.util.{concurrent.atomic,regex} javax.security.auth{,.login} jdk.internal.loader \
        sun.security.action
      jvm_flags+=(--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED)
      settings=(query.max-total-memory-per-node=300MB)
      coordinator_settings=(discovery-server.enabled=false)
      # Presto sends no token unless this is set.
      secret_settings=(internal-communication.jwt.enabled=true)
      unproved="An announcement needs X-Presto-Internal-Bearer or X-Trino-Internal-Bearer"
      # Its HTTP client, Jetty's, can wait forever in ManagedSelector.doStop. The node is then
      # neither withdrawn nor ended.
      hangs=1 ;;
    *) usage >&2; die "the engine is missing: $ENGINES" ;;
  esac
  case $1 in
    trino*)
      type=trino user_header=X-Trino-User
      python_client=trino==0.334.0 python_module=trino ;;
    *)
      type=presto user_header=X-Presto-User
      python_client=presto-python-client==0.8.4 python_module=prestodb ;;
  esac
  local name number
  IFS=: read -r _ server version _ <<<"$artifact"
  IFS=: read -r _ name number _ <<<"$cli_artifact"
  cli_jar=$name-$number-executable.jar
}

# Lets the engine use the internals of these packages of java.base.
opens() {
  local package
  jvm_flags=()
  for package in "$@"; do jvm_flags+=("--add-opens=java.base/$package=ALL-UNNAMED"); done
}
