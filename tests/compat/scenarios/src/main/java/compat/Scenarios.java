package compat;

import compat.Library.Client;
import compat.Library.Listed;
import compat.Library.Offer;
import compat.Library.Picture;

import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;

/**
 * Checks the behaviour that an engine relies on, with a method for each scenario. Every scenario
 * has a service type of its own, so that it does not see the services of the others and their order
 * does not matter. No lookup is retried, because a lookup must show every change that was
 * acknowledged before it.
 */
public final class Scenarios
{
    /**
     * Maximum duration of an answer. Without a quorum, the server answers within 2 s; the rest is
     * for a busy machine.
     */
    public static final long ANSWER_SECONDS = 15;

    private static final String POOL = "general";

    private final Library library;
    private final List<URI> servers;
    private final String environment;

    /**
     * One client for each server. They are opened before anything is announced, because starting a
     * client takes so long that a stale answer could become fresh meanwhile.
     */
    private final List<Client> readers;

    private Scenarios(Library library, List<URI> servers, String environment)
    {
        this.library = library;
        this.servers = servers;
        this.environment = environment;
        this.readers = servers.stream()
                .map(server -> library.open(
                        server,
                        environment,
                        "reader-" + UUID.randomUUID(),
                        POOL))
                .toList();
    }

    /**
     * Runs all scenarios against the nodes in system property {@code servers} (comma separated), of
     * the environment in {@code environment}.
     */
    public static void main(String name, Library library, String[] args)
    {
        List<URI> servers = Arrays.stream(required("servers").split(",")).map(URI::create).toList();
        Scenarios scenarios = new Scenarios(library, servers, required("environment"));
        Map<String, Scenario> all = Map.of(
                "an announcement is in the selector on every node at once",
                scenarios::announcement,
                "a lookup by type alone reaches every pool, a selector only its own",
                scenarios::pools,
                "a changed announcement replaces the old one on every node",
                scenarios::change,
                "an unchanged announcement renews and changes nothing",
                scenarios::renewal,
                "a conditional lookup shows a change",
                scenarios::conditional,
                "an unannounced node disappears at once, and can be unannounced again",
                scenarios::unannouncement,
                "an announcement of another environment is refused by name and not listed",
                scenarios::announcementElsewhere,
                "a lookup by a client of another environment fails",
                scenarios::lookupElsewhere,
                "a discovery.uri that ends in a slash works",
                scenarios::trailingSlash,
                "the announcer lists its node from start to stop",
                scenarios::announcer);
        scenarios.warmUp();
        int failed = 0;
        for (String title : all.keySet().stream().sorted().toList()) {
            try {
                all.get(title).run();
                System.out.println("ok      " + name + ": " + title);
            }
            catch (Throwable e) {
                failed++;
                System.out.println("FAILED  " + name + ": " + title);
                System.out.println("        " + e);
                for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
                    System.out.println("        because " + cause);
                }
            }
        }
        scenarios.readers.forEach(Client::close);
        System.out.println(name + ": " + (all.size() - failed) + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    /**
     * Performs the first lookup of each reader, which loads classes and connects. Later lookups are
     * then fast enough to notice a stale answer.
     */
    private void warmUp()
    {
        for (int reader = 0; reader < servers.size(); reader++) {
            try {
                select(reader, freshType(), POOL);
            }
            catch (Exception e) {
                throw new IllegalStateException("no lookup at " + server(reader), e);
            }
        }
    }

    private void announcement()
            throws Exception
    {
        String type = freshType();
        Map<String, String> properties = Map.of(
                "http", "http://10.0.0.1:8080",
                "node_version", "476 \"quoted\" \u00e9\u2713",
                "coordinator", "false");
        for (int taker = 0; taker < servers.size(); taker++) {
            String nodeId = "announced-by-" + taker;
            try (Client node = open(taker, nodeId)) {
                Offer offer = node.offer(type, properties);
                double nextSeconds = node.announce(offer);
                check(nextSeconds > 0, "the next announcement is due in " + nextSeconds + " s");
                for (int reader = 0; reader < servers.size(); reader++) {
                    Listed listed = only(
                            select(reader, type, POOL),
                            "node " + reader + " after node " + taker + " took it");
                    same(offer.id(), listed.id(), "id");
                    same(nodeId, listed.nodeId(), "nodeId");
                    same(type, listed.type(), "type");
                    same(POOL, listed.pool(), "pool");
                    same(properties, listed.properties(), "properties");
                    check(listed.location() != null, "location is null");
                }
            }
        }
    }

    private void pools()
            throws Exception
    {
        String type = freshType();
        try (Client general = open(0, "of-general");
                Client other = library.open(server(1), environment, "of-other", "other")) {
            general.announce(general.offer(type, Map.of()));
            other.announce(other.offer(type, Map.of()), other.offer(type + "-second", Map.of()));
            same(Set.of("of-general"), nodes(select(2, type, POOL)), "pool general");
            same(Set.of("of-other"), nodes(select(2, type, "other")), "pool other");
            same(Set.of(), nodes(select(2, type, "third")), "a pool that nobody is in");
            same(
                    Set.of("of-general", "of-other"),
                    nodes(general.lookup(type).services()),
                    "the type in every pool");
            same(
                    Set.of("of-other"),
                    nodes(select(2, type + "-second", "other")),
                    "the second service of one node");
        }
    }

    private void change()
            throws Exception
    {
        String type = freshType();
        try (Client node = open(0, "changing"); Client elsewhere = open(1, "changing")) {
            node.announce(
                    node.offer(type, Map.of("connectorIds", "")),
                    node.offer(type + "-dropped", Map.of()));
            Offer changed = elsewhere.offer(type, Map.of("connectorIds", "tpch,jmx"));
            elsewhere.announce(changed);
            for (int reader = 0; reader < servers.size(); reader++) {
                Listed listed = only(select(reader, type, POOL), "node " + reader);
                same(changed.id(), listed.id(), "id");
                same(Map.of("connectorIds", "tpch,jmx"), listed.properties(), "properties");
                same(
                        List.of(),
                        select(reader, type + "-dropped", POOL),
                        "the service that is no longer announced");
            }
        }
    }

    private void renewal()
            throws Exception
    {
        String type = freshType();
        try (Client node = open(0, "renewing"); Client elsewhere = open(1, "renewing")) {
            Offer offer = node.offer(type, Map.of("http", "http://10.0.0.1:8080"));
            node.announce(offer);
            List<Listed> before = select(2, type, POOL);
            node.announce(offer);
            elsewhere.announce(offer);
            only(before, "before the renewals");
            same(before, select(2, type, POOL), "the lookup after two renewals");
        }
    }

    private void conditional()
            throws Exception
    {
        String type = freshType();
        Client reader = readers.get(1);
        try (Client node = open(0, "conditional")) {
            Picture empty = reader.lookup(type);
            same(Set.of(), nodes(empty.services()), "before");
            node.announce(node.offer(type, Map.of()));
            Picture one = reader.refresh(empty);
            same(Set.of("conditional"), nodes(one.services()), "after the announcement");
            node.unannounce();
            same(Set.of(), nodes(reader.refresh(one).services()), "after the unannouncement");
        }
    }

    private void unannouncement()
            throws Exception
    {
        String type = freshType();
        try (Client node = open(0, "leaving");
                Client elsewhere = open(1, "leaving");
                Client staying = open(2, "staying")) {
            staying.announce(staying.offer(type, Map.of()));
            node.announce(node.offer(type, Map.of()));
            elsewhere.unannounce();
            for (int reader = 0; reader < servers.size(); reader++) {
                same(Set.of("staying"), nodes(select(reader, type, POOL)), "node " + reader);
            }
            node.unannounce();
        }
    }

    private void announcementElsewhere()
            throws Exception
    {
        String type = freshType();
        try (Client node = library.open(server(0), "elsewhere", "stranger", POOL)) {
            ExecutionException refusal = fails(() -> node.announce(node.offer(type, Map.of())));
            String cause = String.valueOf(refusal.getCause());
            String said =
                    "Environment mismatch. Expected: " + environment + ", Provided: elsewhere";
            check(cause.contains("status code 400"), "not refused with 400: " + cause);
            check(cause.contains(said), "the refusal does not say \"" + said + "\": " + cause);
        }
        same(Set.of(), nodes(select(1, type, POOL)), "after the refusal");
    }

    private void lookupElsewhere()
            throws Exception
    {
        try (Client node = library.open(server(0), "elsewhere", "stranger", POOL)) {
            ExecutionException refusal = fails(() -> node.lookup("discovery"));
            String cause = String.valueOf(refusal.getCause());
            check(
                    cause.contains(environment),
                    "it does not name the server's environment: " + cause);
        }
    }

    private void trailingSlash()
            throws Exception
    {
        String type = freshType();
        URI slashed = URI.create(server(0) + "/");
        try (Client node = library.open(slashed, environment, "slashed", POOL)) {
            node.announce(node.offer(type, Map.of()));
            same(Set.of("slashed"), nodes(node.select(type, POOL)), "by type and pool");
            same(Set.of("slashed"), nodes(node.lookup(type).services()), "by type");
            node.unannounce();
            same(Set.of(), nodes(node.select(type, POOL)), "after the unannouncement");
        }
    }

    private void announcer()
            throws Exception
    {
        String type = freshType();
        try (Client node = open(0, "announcing")) {
            node.startAnnouncer(node.offer(type, Map.of()));
            same(Set.of("announcing"), nodes(select(1, type, POOL)), "once started");
        }
        same(Set.of(), nodes(select(1, type, POOL)), "once stopped");
    }

    private URI server(int index)
    {
        return servers.get(index % servers.size());
    }

    private Client open(int server, String nodeId)
    {
        return library.open(server(server), environment, nodeId, POOL);
    }

    private List<Listed> select(int server, String type, String pool)
            throws Exception
    {
        return readers.get(server).select(type, pool);
    }

    private static String freshType()
    {
        return "compat-" + UUID.randomUUID();
    }

    private static Set<String> nodes(List<Listed> services)
    {
        return services.stream().map(Listed::nodeId).collect(Collectors.toSet());
    }

    private static Listed only(List<Listed> services, String where)
    {
        check(services.size() == 1, "expected one service, got " + services + ": " + where);
        return services.get(0);
    }

    private static void same(Object expected, Object actual, String what)
    {
        check(expected.equals(actual), what + ": expected " + expected + ", got " + actual);
    }

    private static void check(boolean holds, String otherwise)
    {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static ExecutionException fails(Scenario scenario)
            throws Exception
    {
        try {
            scenario.run();
        }
        catch (ExecutionException e) {
            return e;
        }
        throw new AssertionError("it was accepted");
    }

    private static String required(String property)
    {
        String value = System.getProperty(property);
        if (value == null) {
            System.err.println("missing: -D" + property + "=...");
            System.exit(2);
        }
        return value;
    }

    private interface Scenario
    {
        void run()
                throws Exception;
    }
}
