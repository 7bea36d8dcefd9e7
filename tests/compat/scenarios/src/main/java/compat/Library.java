package compat;

import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** One published discovery library. The two under test differ in packages, versions and HTTP stack, not in what they can do. */
public interface Library
{
    /** A client as an engine node has one: it announces as {@code nodeId} and reads, all at the one server it knows. */
    Client open(URI server, String environment, String nodeId, String pool);

    interface Client
            extends AutoCloseable
    {
        /** A service to announce; a fresh one with an id of its own each time, as engines make it when their properties change. */
        Offer offer(String type, Map<String, String> properties);

        /** Announces exactly these services, in place of what was announced before; returns the seconds until the next one is due. */
        double announce(Offer... offers)
                throws Exception;

        void unannounce()
                throws Exception;

        /** Starts the library's own announcing thread with these services; {@link #close} stops it, as an engine's shutdown does. */
        void startAnnouncer(Offer... offers);

        /** What the library's caching selector holds after one refresh: how an engine finds its workers. */
        List<Listed> select(String type, String pool)
                throws Exception;

        /** A lookup by type alone, in every pool. */
        Picture lookup(String type)
                throws Exception;

        /** The conditional lookup that follows an earlier one. */
        Picture refresh(Picture earlier)
                throws Exception;

        @Override
        void close();
    }

    /** A service to announce; {@code raw} is the library's own object. */
    record Offer(UUID id, Object raw) {}

    /** A service as a lookup gave it. */
    record Listed(UUID id, String nodeId, String type, String pool, String location, Map<String, String> properties) {}

    /** One lookup's answer; {@code raw} is the library's own object, for {@link Client#refresh}. */
    record Picture(List<Listed> services, Object raw) {}
}
