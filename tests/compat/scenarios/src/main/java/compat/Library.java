package compat;

import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * One published discovery library. The two under test differ in packages, versions and HTTP stack,
 * but not in their features.
 */
public interface Library
{
    /**
     * A client like that of an engine node: it announces as {@code nodeId} and reads, all at the
     * one server it knows.
     */
    Client open(URI server, String environment, String nodeId, String pool);

    interface Client
            extends AutoCloseable
    {
        /**
         * Creates a service to announce. It has a new id each time, as with engines when their
         * properties change.
         */
        Offer offer(String type, Map<String, String> properties);

        /**
         * Announces exactly these services, in place of the earlier ones. Returns the seconds until
         * the next announcement is due.
         */
        double announce(Offer... offers)
                throws Exception;

        void unannounce()
                throws Exception;

        /**
         * Starts the library's own announcing thread with these services; {@link #close} stops it,
         * as an engine's shutdown does.
         */
        void startAnnouncer(Offer... offers);

        /**
         * Returns the contents of the library's caching selector after one refresh, with which an
         * engine finds its workers.
         */
        List<Listed> select(String type, String pool)
                throws Exception;

        /** Looks up a type in every pool. */
        Picture lookup(String type)
                throws Exception;

        /** Performs the conditional lookup that follows an earlier one. */
        Picture refresh(Picture earlier)
                throws Exception;

        @Override
        void close();
    }

    /** A service to announce; {@code raw} is the library's own object. */
    record Offer(UUID id, Object raw) {}

    /** A service in the result of a lookup. */
    record Listed(
            UUID id,
            String nodeId,
            String type,
            String pool,
            String location,
            Map<String, String> properties) {}

    /**
     * The answer to a lookup; {@code raw} is the library's own object, for {@link Client#refresh}.
     */
    record Picture(List<Listed> services, Object raw) {}
}
