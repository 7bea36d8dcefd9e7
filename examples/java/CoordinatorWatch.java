import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Follows a Presto or Trino coordinator that moves, by watching quorate. Needs only Java 11 or
 * newer. Copy this file into your application.
 *
 * <pre>
 *   var servers = List.of("http://10.0.0.1:8411", "http://10.0.0.2:8411", "http://10.0.0.3:8411");
 *   var watch = new CoordinatorWatch(servers);
 *   // At the start: blocks until the coordinator is known.
 *   watch.await(Duration.ofSeconds(30)).uri();
 *   // From then on: at once, from memory.
 *   watch.current().uri();
 * </pre>
 *
 * The client does not poll: a node of quorate sends the coordinator's address at once, and again
 * within milliseconds of each move. If the node fails, the client asks the next node. If all nodes
 * fail, the client keeps the last answer, with the time at which a node last confirmed it.
 *
 * <ul>
 *   <li>{@link #current} never blocks. After the first answer, it never returns null.
 *   <li>No call fails during an outage of one node, or of all; {@link Answer#unconfirmedSince}
 *       reports it.
 *   <li>Between failed attempts there is a pause, which grows from PAUSE_MIN to PAUSE_MAX.
 * </ul>
 */
public final class CoordinatorWatch implements AutoCloseable {
    /** Time without any data after which a node counts as failed. A heartbeat comes every 3 s. */
    private static final Duration SILENCE = Duration.ofSeconds(10);

    /** Timeout for the head of a response. A node sends it within 2 s, even if it is a 503. */
    private static final Duration RESPONSE = Duration.ofSeconds(5);

    /**
     * Duration of a stream after which the next node is asked without a pause, so that a failover
     * takes no longer than needed.
     */
    private static final Duration STEADY = Duration.ofSeconds(5);

    private static final Duration PAUSE_MIN = Duration.ofMillis(100);
    private static final Duration PAUSE_MAX = Duration.ofSeconds(2);

    private static final System.Logger LOG = System.getLogger(CoordinatorWatch.class.getName());

    /** The last state of the coordinator that a node sent: its address, or that there is none. */
    public static final class Answer {
        private final String uri;
        private final Map<String, String> fields;
        private final String json;
        private final String server;
        private final Instant unconfirmedSince;

        private Answer(
                String uri,
                Map<String, String> fields,
                String json,
                String server,
                Instant unconfirmedSince) {
            this.uri = uri;
            this.fields = fields;
            this.json = json;
            this.server = server;
            this.unconfirmedSince = unconfirmedSince;
        }

        /**
         * Returns {@code http://host:port}, or null if the cluster knows no coordinator; then
         * {@link #fields} has the reason.
         */
        public String uri() {
            return uri;
        }

        /**
         * Returns the fields that the node sent, without nested ones: uri, engine, nodeId, pool,
         * location and joinedIndex, or only reason.
         */
        public Map<String, String> fields() {
            return fields;
        }

        /**
         * Returns everything that the node sent, for a JSON library. It includes the properties of
         * the announcement.
         */
        public String json() {
            return json;
        }

        /** Returns the node that sent the answer. */
        public String server() {
            return server;
        }

        /**
         * Returns null while a node confirms the answer. Otherwise returns the time of the last
         * confirmation: no node has answered since.
         */
        public Instant unconfirmedSince() {
            return unconfirmedSince;
        }

        private Answer unconfirmed(Instant since) {
            return new Answer(uri, fields, json, server, since);
        }

        /** Returns whether both answers are equal, apart from the nodes that sent them. */
        private boolean isSameAs(Answer other) {
            return other != null
                    && json.equals(other.json)
                    && Objects.equals(unconfirmedSince, other.unconfirmedSince);
        }
    }

    private final List<String> servers;
    private final String query;
    private final Consumer<Answer> onChange;
    private final HttpClient http =
            HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    .connectTimeout(RESPONSE)
                    .proxy(HttpClient.Builder.NO_PROXY)
                    .build();
    private final ScheduledExecutorService alarms =
            Executors.newSingleThreadScheduledExecutor(
                    task -> daemon(task, "coordinator-watch-alarm"));
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Object changed = new Object();

    private volatile Answer answer;
    private volatile String trouble = "no server has answered yet";
    private volatile InputStream body;
    private Instant heardAt = Instant.now();

    public CoordinatorWatch(List<String> servers) {
        this(servers, null, null, answer -> {});
    }

    /**
     * Starts watching.
     *
     * @param engine {@code presto} or {@code trino}, or null for any engine
     * @param pool the pool, or null for any pool
     * @param onChange gets each new answer on the thread of the watch, and must not block it
     */
    public CoordinatorWatch(
            List<String> servers, String engine, String pool, Consumer<Answer> onChange) {
        if (servers.isEmpty()
                || !servers.stream().allMatch(server -> server.matches("https?://.+"))) {
            throw new IllegalArgumentException(
                    "servers must be one or more addresses such as http://host:8411, not "
                            + servers);
        }
        // Each watch has its own random order, so that the watchers of a failed node spread over
        // the other nodes.
        this.servers = new ArrayList<>(servers);
        Collections.shuffle(this.servers);
        this.query = parameter("engine", engine) + parameter("pool", pool);
        this.onChange = onChange;
        daemon(this::run, "coordinator-watch").start();
    }

    /** Returns the last answer at once; null only before the first. */
    public Answer current() {
        return answer;
    }

    /** Waits for a coordinator and returns that answer. */
    public Answer await(Duration timeout) throws InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + timeout.toNanos();
        synchronized (changed) {
            while (answer == null || answer.uri() == null) {
                long leftMs = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (leftMs <= 0) {
                    String known = answer == null ? trouble : answer.fields().get("reason");
                    throw new TimeoutException("no coordinator after " + timeout + ": " + known);
                }
                changed.wait(leftMs);
            }
            return answer;
        }
    }

    /** Ends the watch. The last answer stays. */
    @Override
    public void close() {
        closed.countDown();
        closeQuietly(body);
        alarms.shutdown();
    }

    // ---- The thread of the watch ----------------------------------------------------------------

    /** Follows one node after another until the watch is closed. */
    private void run() {
        int unanswered = 0; // attempts in a row that brought no answer
        int brief = 0; // attempts in a row that were shorter than STEADY
        for (int i = 0; ; i = (i + 1) % servers.size()) {
            String server = servers.get(i);
            Answer before = answer;
            long began = System.nanoTime();
            try {
                follow(server);
            } catch (Exception error) {
                // No response may end this thread. Without it, current() would return an old answer
                // as if it were confirmed.
                trouble = server + ": " + (error.getMessage() == null ? error : error.getMessage());
                LOG.log(System.Logger.Level.INFO, "lost {0}", trouble);
            }
            unanswered = answer == before ? unanswered + 1 : 0;
            Answer last = answer;
            if (unanswered >= servers.size()
                    && last != null
                    && last.unconfirmedSince() == null
                    && closed.getCount() > 0) {
                learn(last.unconfirmed(heardAt));
            }
            brief = System.nanoTime() - began < STEADY.toNanos() ? brief + 1 : 0;
            if (isClosedAfter(brief == 0 ? 0 : pauseMs(brief))) {
                return;
            }
        }
    }

    private static long pauseMs(int brief) {
        long most = Math.min(PAUSE_MAX.toMillis(), PAUSE_MIN.toMillis() << Math.min(brief - 1, 16));
        // Random, so that the watchers do not all connect at once to a node that returns.
        return ThreadLocalRandom.current().nextLong(most / 2, most + 1);
    }

    private boolean isClosedAfter(long ms) {
        try {
            return closed.await(ms, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            return true; // This thread is interrupted only to end it.
        }
    }

    /** Reads one node's stream until it ends, and then throws unless the watch is closed. */
    private void follow(String server) throws IOException, InterruptedException {
        URI address = URI.create(server.replaceAll("/+$", "") + "/v1/coordinator?watch" + query);
        HttpRequest request =
                HttpRequest.newBuilder(address).header("Accept", "text/event-stream").build();
        HttpResponse<InputStream> response = send(request);
        try (InputStream stream = response.body()) {
            body = stream;
            if (closed.getCount() == 0) {
                return; // close() was called too early to find the stream.
            }
            String type = response.headers().firstValue("Content-Type").orElse("");
            if (response.statusCode() != 200 || !type.startsWith("text/event-stream")) {
                Future<?> alarm = closeAfterSilence(stream);
                String text = new String(stream.readNBytes(300), UTF_8);
                alarm.cancel(false);
                throw new IOException(response.statusCode() + " " + text.trim());
            }
            take(server, stream);
        } finally {
            body = null;
        }
    }

    /**
     * Sends a request, and limits the time until the head of the response.
     * HttpRequest.timeout is not used, because since JDK 26 that timeout ends the body too.
     */
    private HttpResponse<InputStream> send(HttpRequest request)
            throws IOException, InterruptedException {
        CompletableFuture<HttpResponse<InputStream>> sent =
                http.sendAsync(request, HttpResponse.BodyHandlers.ofInputStream());
        try {
            return sent.get(RESPONSE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            String reason = e.getCause().getMessage();
            throw new IOException(reason == null ? "cannot be reached" : reason, e);
        } catch (TimeoutException e) {
            // Before JDK 16 cancel() does not stop the exchange, so a late response is closed here:
            // otherwise it would keep its connection.
            sent.thenAccept(response -> closeQuietly(response.body()));
            sent.cancel(true);
            throw new IOException("no response within " + RESPONSE, e);
        }
    }

    /** Reads server-sent events. Each ends with an empty line; a heartbeat has no data. */
    private void take(String server, InputStream stream) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(stream, UTF_8));
        String name = "message";
        String data = "";
        while (true) {
            String line = readLine(lines, stream);
            heardAt = Instant.now();
            if (line.startsWith("event:")) {
                name = line.substring(6).trim();
            } else if (line.startsWith("data:")) {
                data = line.substring(5).trim(); // Always one line, so there is nothing to join.
            } else if (line.isEmpty()) {
                if (!data.isEmpty()) {
                    handle(server, name, data);
                }
                name = "message";
                data = "";
            }
        }
    }

    private String readLine(BufferedReader lines, InputStream stream) throws IOException {
        Future<?> alarm = closeAfterSilence(stream);
        try {
            String line = lines.readLine();
            if (line == null) {
                throw new IOException("the stream was interrupted");
            }
            return line;
        } catch (IOException e) {
            throw alarm.isDone() ? new IOException("silent for " + SILENCE, e) : e;
        } finally {
            alarm.cancel(false);
        }
    }

    /** Closes the stream after SILENCE, to wake its reader: a read itself has no timeout. */
    private Future<?> closeAfterSilence(InputStream stream) {
        return alarms.schedule(
                () -> closeQuietly(stream), SILENCE.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void handle(String server, String name, String data) throws IOException {
        Map<String, String> fields = plainFields(data);
        if (name.equals("coordinator")) {
            learn(new Answer(required(fields, "uri"), fields, data, server, null));
        } else if (name.equals("none")) {
            required(fields, "reason");
            learn(new Answer(null, fields, data, server, null));
        } else if (name.equals("end")) {
            throw new IOException("the server ended the stream: " + fields.get("reason"));
        }
    }

    /** Stores an answer, and reports it to onChange if it differs from the last one. */
    private void learn(Answer next) {
        boolean isNews;
        synchronized (changed) {
            isNews = !next.isSameAs(answer);
            // An equal answer is stored too, because its node confirms it and may be another node.
            answer = next;
            changed.notifyAll();
        }
        if (isNews) {
            try {
                onChange.accept(next);
            } catch (RuntimeException e) {
                // An error of the application does not end the watch.
                LOG.log(System.Logger.Level.WARNING, "onChange failed", e);
            }
        }
    }

    // ---- A JSON parser that suffices for an answer ----------------------------------------------

    /**
     * A JSON token: a string, a bracket, a colon, a comma, a number or a word. The quantifiers are
     * possessive, so that no text makes matching slow.
     */
    private static final Pattern TOKEN =
            Pattern.compile("\"((?:[^\"\\\\]++|\\\\.)*+)\"|([{}\\[\\]:,])|([^\\s{}\\[\\]:,\"]++)");

    private static final Pattern ESCAPE = Pattern.compile("\\\\(?:u([0-9a-fA-F]{4})|(.))");

    /**
     * Returns the fields of an object whose values are strings, numbers or words; nested objects
     * and arrays are skipped.
     */
    static Map<String, String> plainFields(String json) {
        Map<String, String> fields = new LinkedHashMap<>();
        Matcher token = TOKEN.matcher(json);
        int depth = 0;
        String key = null;
        String text = null; // the previous token, if it was a value or a key
        while (token.find()) {
            char mark = token.group(2) == null ? ' ' : token.group(2).charAt(0);
            boolean isBetweenFields = depth == 1 && (mark == ',' || mark == '}');
            if (isBetweenFields && key != null && text != null) {
                fields.put(key, text);
            }
            if (isBetweenFields) {
                key = null;
            } else if (depth == 1 && mark == ':') {
                key = text;
            }
            depth += mark == '{' || mark == '[' ? 1 : mark == '}' || mark == ']' ? -1 : 0;
            text =
                    token.group(1) != null
                            ? unescape(token.group(1))
                            : "null".equals(token.group(3)) ? null : token.group(3);
        }
        return fields;
    }

    private static String unescape(String text) {
        return ESCAPE.matcher(text)
                .replaceAll(
                        escape -> {
                            String code = escape.group(1);
                            String plain = code == null ? plain(escape.group(2)) : coded(code);
                            return Matcher.quoteReplacement(plain);
                        });
    }

    private static String coded(String hexadecimal) {
        return String.valueOf((char) Integer.parseInt(hexadecimal, 16));
    }

    private static String plain(String letter) {
        int known = "bfnrt".indexOf(letter);
        return known < 0 ? letter : "\b\f\n\r\t".substring(known, known + 1);
    }

    private static String required(Map<String, String> fields, String name) throws IOException {
        if (fields.get(name) == null) {
            throw new IOException("the response has no " + name);
        }
        return fields.get(name);
    }

    // ---- Query parameters, threads, output ------------------------------------------------------

    private static String parameter(String name, String value) {
        return value == null ? "" : "&" + name + "=" + URLEncoder.encode(value, UTF_8);
    }

    /** Creates a daemon thread, so that a program that does not close the watch still ends. */
    private static Thread daemon(Runnable task, String name) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }

    private static void closeQuietly(InputStream stream) {
        try {
            if (stream != null) {
                stream.close();
            }
        } catch (IOException e) {
            // The stream is not used any more.
        }
    }

    private static void show(Answer answer) {
        String what =
                answer.uri() != null
                        ? "coordinator " + answer.uri()
                        : "no coordinator: " + answer.fields().get("reason");
        Instant since = answer.unconfirmedSince();
        DateTimeFormatter time =
                DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneId.systemDefault());
        String prefix = since == null ? "" : "unconfirmed since " + time.format(since) + ": ";
        System.out.println(prefix + what + " (reported by " + answer.server() + ")");
    }

    public static void main(String[] arguments) throws InterruptedException {
        if (arguments.length != 1) {
            System.err.println(
                    "usage: java CoordinatorWatch.java http://n1:8411,http://n2:8411,...");
            System.exit(2);
        }
        CoordinatorWatch watch =
                new CoordinatorWatch(
                        List.of(arguments[0].split(",")), null, null, CoordinatorWatch::show);
        watch.closed.await(); // Nobody closes it: the program runs until it is killed.
    }
}
