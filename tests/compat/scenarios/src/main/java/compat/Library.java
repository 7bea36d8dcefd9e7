package compat;

import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * A published discovery library of an engine. The two that are tested differ in packages, versions
 * and HTTP stack, but not in their features.
 */
public interface Library
{
    /**
     * Opens a client like that of an engine node. It knows one server, at which it announces as
     * {@code nodeId} and looks up services.
     */
    Client open(URI server, String environment, String nodeId, String pool);

    interface Client
            extends AutoCloseable
    {
        /**
         * Creates a service to announce. It has a new id each time, because engines use a new id
         * when their properties change.
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
         * Starts the thread of the library that announces these services again and again. An
         * engine's shutdown stops it, and {@link #close} does too.
         */
        void startAnnouncer(Offer... offers);

        /**
         * Returns the contents of the library's caching selector after one refresh. An engine finds
         * its workers with this selector.
         */
        List<Listed> select(String type, String pool)
                throws Exception;

        /** Looks up a type in every pool. */
        Picture lookup(String type)
                throws Exception;

        /** Repeats a lookup with the tag of its earlier answer, so that 304 may be returned. */
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
