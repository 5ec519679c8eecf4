package dev.kagami.image.fetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class EnvironmentProxyTest {
    private static final Map<String, String> ENVIRONMENT = Map.of(
            "https_proxy", "http://127.0.0.1:3128/",
            "ALL_PROXY", "127.0.0.2",
            "HTTP_PROXY", "http://127.0.0.3:1",
            "no_proxy", "localhost, .example.org,10.0.0.1");

    private static List<Proxy> select(String uri) {
        return new EnvironmentProxy(ENVIRONMENT).select(URI.create(uri));
    }

    private static List<Proxy> proxy(String host, int port) {
        return List.of(new Proxy(Proxy.Type.HTTP, new InetSocketAddress(host, port)));
    }

    @Test
    void theVariableOfTheSchemeComesFirstThenThatOfAll() {
        assertThat(select("https://example.com/x")).isEqualTo(proxy("127.0.0.1", 3128));
        assertThat(select("http://example.com/x")).isEqualTo(proxy("127.0.0.2", 1080));
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://localhost/", "https://a.example.org/", "http://EXAMPLE.org/", "http://10.0.0.1/"})
    void whatIsExceptedIsReachedDirectly(String uri) {
        assertThat(select(uri)).containsExactly(Proxy.NO_PROXY);
    }

    @Test
    void withoutVariablesOrWithRubbishEverythingIsReachedDirectly() {
        URI uri = URI.create("https://example.com/");
        assertThat(new EnvironmentProxy(Map.of()).select(uri)).containsExactly(Proxy.NO_PROXY);
        assertThat(new EnvironmentProxy(Map.of("https_proxy", "http://[")).select(uri))
                .containsExactly(Proxy.NO_PROXY);
    }
}
