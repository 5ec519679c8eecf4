package dev.kagami.image.fetch;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Chooses the proxy that the JVM's properties name, or else the environment, as other programs do: {@code http_proxy},
 * {@code https_proxy}, {@code all_proxy} and {@code no_proxy}, in lower or upper case.
 */
public final class EnvironmentProxy extends ProxySelector {

    private static final int DEFAULT_PORT = 1080;

    private final Map<String, String> environment;

    /** Creates a chooser with an environment. */
    public EnvironmentProxy(Map<String, String> environment) {
        this.environment = environment;
    }

    @Override
    public List<Proxy> select(URI uri) {
        ProxySelector properties = ProxySelector.getDefault();
        List<Proxy> configured = properties == null ? List.of() : properties.select(uri);
        if (configured.stream().anyMatch(proxy -> proxy.type() != Proxy.Type.DIRECT) || isExcepted(uri)) {
            return configured.isEmpty() ? List.of(Proxy.NO_PROXY) : configured;
        }
        return variable(uri.getScheme() + "_proxy")
                .or(() -> variable("all_proxy"))
                .flatMap(EnvironmentProxy::parse)
                .map(address -> List.of(new Proxy(Proxy.Type.HTTP, address)))
                .orElse(List.of(Proxy.NO_PROXY));
    }

    private Optional<String> variable(String name) {
        // HTTP_PROXY in upper case may come from a web server's client ("httpoxy").
        String upper = name.equals("http_proxy") ? name : name.toUpperCase(Locale.ROOT);
        return Optional.ofNullable(environment.getOrDefault(name, environment.get(upper)))
                .filter(value -> !value.isBlank());
    }

    private boolean isExcepted(URI uri) {
        String host = String.valueOf(uri.getHost()).toLowerCase(Locale.ROOT);
        for (String entry :
                variable("no_proxy").orElse("").toLowerCase(Locale.ROOT).split("[,\\s]+")) {
            String domain = entry.startsWith(".") ? entry.substring(1) : entry;
            if (!domain.isEmpty() && (domain.equals("*") || host.equals(domain) || host.endsWith("." + domain))) {
                return true;
            }
        }
        return false;
    }

    private static Optional<InetSocketAddress> parse(String value) {
        try {
            URI proxy = URI.create(value.contains("://") ? value : "http://" + value);
            return Optional.ofNullable(proxy.getHost())
                    .map(host -> new InetSocketAddress(host, proxy.getPort() < 0 ? DEFAULT_PORT : proxy.getPort()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    @Override
    public void connectFailed(URI uri, SocketAddress address, IOException e) {
        // The download tells.
    }
}
