package compat;

import com.google.inject.Injector;
import com.facebook.airlift.bootstrap.Bootstrap;
import com.facebook.airlift.bootstrap.LifeCycleManager;
import com.facebook.airlift.discovery.client.Announcer;
import com.facebook.airlift.discovery.client.DiscoveryAnnouncementClient;
import com.facebook.airlift.discovery.client.DiscoveryLookupClient;
import com.facebook.airlift.discovery.client.DiscoveryModule;
import com.facebook.airlift.discovery.client.ServiceAnnouncement;
import com.facebook.airlift.discovery.client.ServiceDescriptor;
import com.facebook.airlift.discovery.client.ServiceDescriptors;
import com.facebook.airlift.discovery.client.ServiceSelectorConfig;
import com.facebook.airlift.discovery.client.ServiceSelectorFactory;
import com.facebook.airlift.json.JsonModule;
import com.facebook.airlift.node.NodeModule;

import javax.management.MBeanServer;
import javax.management.MBeanServerFactory;

import java.net.URI;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Adapter of the discovery client of prestodb's fork of airlift. */
public final class Prestodb
        implements Library
{
    public static void main(String[] args)
    {
        Scenarios.main("com.facebook.airlift:discovery:0.215", new Prestodb(), args);
    }

    @Override
    public Client open(URI server, String environment, String nodeId, String pool)
    {
        Injector injector = new Bootstrap(
                binder -> binder.bind(MBeanServer.class)
                        .toInstance(MBeanServerFactory.newMBeanServer()),
                new NodeModule(),
                new JsonModule(),
                new DiscoveryModule())
                .setRequiredConfigurationProperties(Map.of(
                        "node.environment", environment,
                        "node.id", nodeId,
                        "node.pool", pool,
                        "node.internal-address", "127.0.0.1",
                        "discovery.uri", server.toString()))
                .doNotInitializeLogging()
                .quiet()
                .initialize();
        return new Node(injector);
    }

    private record Node(Injector injector)
            implements Client
    {
        @Override
        public Offer offer(String type, Map<String, String> properties)
        {
            ServiceAnnouncement announcement = ServiceAnnouncement.serviceAnnouncement(type)
                    .addProperties(properties)
                    .build();
            return new Offer(announcement.getId(), announcement);
        }

        @Override
        public double announce(Offer... offers)
                throws Exception
        {
            Set<ServiceAnnouncement> services = Arrays.stream(offers)
                    .map(offer -> (ServiceAnnouncement) offer.raw())
                    .collect(Collectors.toSet());
            return answer(injector.getInstance(DiscoveryAnnouncementClient.class)
                    .announce(services))
                    .getValue(TimeUnit.SECONDS);
        }

        @Override
        public void unannounce()
                throws Exception
        {
            answer(injector.getInstance(DiscoveryAnnouncementClient.class).unannounce());
        }

        @Override
        public void startAnnouncer(Offer... offers)
        {
            Announcer announcer = injector.getInstance(Announcer.class);
            for (Offer offer : offers) {
                announcer.addServiceAnnouncement((ServiceAnnouncement) offer.raw());
            }
            announcer.start();
        }

        @Override
        public List<Listed> select(String type, String pool)
                throws Exception
        {
            ServiceSelectorConfig config = new ServiceSelectorConfig().setPool(pool);
            return listed(answer(injector.getInstance(ServiceSelectorFactory.class)
                    .createServiceSelector(type, config)
                    .refresh()));
        }

        @Override
        public Picture lookup(String type)
                throws Exception
        {
            return picture(answer(injector.getInstance(DiscoveryLookupClient.class)
                    .getServices(type)));
        }

        @Override
        public Picture refresh(Picture earlier)
                throws Exception
        {
            return picture(answer(injector.getInstance(DiscoveryLookupClient.class)
                    .refreshServices((ServiceDescriptors) earlier.raw())));
        }

        @Override
        public void close()
        {
            try {
                injector.getInstance(LifeCycleManager.class).stop();
            }
            catch (Exception e) {
                throw new IllegalStateException("the client did not stop", e);
            }
        }

        private static <T> T answer(Future<T> future)
                throws Exception
        {
            return future.get(Scenarios.ANSWER_SECONDS, TimeUnit.SECONDS);
        }

        private static Picture picture(ServiceDescriptors descriptors)
        {
            return new Picture(listed(descriptors.getServiceDescriptors()), descriptors);
        }

        private static List<Listed> listed(List<ServiceDescriptor> descriptors)
        {
            return descriptors.stream()
                    .map(it -> new Listed(
                            it.getId(),
                            it.getNodeId(),
                            it.getType(),
                            it.getPool(),
                            it.getLocation(),
                            it.getProperties()))
                    .toList();
        }
    }
}
