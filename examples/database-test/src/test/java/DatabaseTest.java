import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kagami.junit.Machine;
import dev.kagami.junit.MachineDefinition;
import dev.kagami.junit.VirtualMachineTest;
import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** A database in a machine: started and filled once, and each test has a copy of that for itself. */
@VirtualMachineTest
class DatabaseTest {
    static class Database implements MachineDefinition {
        @Override
        public void describe(VirtualMachineConfig.Builder builder) {
            builder.defaultGuest().network(Network.nat().forward(0, 80));
        }

        @Override
        public void prepare(VirtualMachine machine) throws Exception {
            machine.copyTo(Path.of("src/test/resources/store"), "/srv/cgi-bin/");
            machine.exec("mkdir /data; echo hello >/data/greeting; httpd -h /srv");
            machine.exec("until ip route | grep default; do sleep 0.1; done");
        }
    }

    @Machine(value = Database.class, branch = true)
    VirtualMachine database;

    @Test
    void valuesThatWereThereAreRead() throws Exception {
        assertEquals("hello\n", get("greeting").body());
        assertEquals(404, get("nothing").statusCode());
    }

    @Test
    void valuesAreWritten() throws Exception {
        assertEquals(200, post("greeting", "goodbye").statusCode());
        assertEquals("goodbye", get("greeting").body());
    }

    @Test
    void theirDiskMayFail() throws Exception {
        database.exec("rm -r /data");
        assertEquals(404, get("greeting").statusCode());
    }

    private HttpRequest.Builder request(String key) {
        int port = database.forwards().getFirst().local().getPort();
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/cgi-bin/store?" + key));
    }

    private HttpResponse<String> get(String key) throws Exception {
        return send(request(key));
    }

    private HttpResponse<String> post(String key, String value) throws Exception {
        return send(request(key).POST(BodyPublishers.ofString(value)));
    }

    private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(request.build(), BodyHandlers.ofString());
        }
    }
}
