package dev.kagami.virtio.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.Features;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.VirtioContractTest;
import dev.kagami.virtio.VirtioDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ConsoleDeviceTest extends VirtioContractTest {
    private static final ConsoleConfig CONFIG = new ConsoleConfig(
            List.of(new ConsoleConfig.Port("", true), new ConsoleConfig.Port("org.test.0", false)), 100, 40);

    private ConsoleDevice device = new ConsoleDevice(CONFIG);

    @Override
    protected VirtioDevice create() {
        device = new ConsoleDevice(CONFIG);
        return device;
    }

    /** Input queues are only looked at while there is input, and the control queue while there are messages. */
    @Override
    protected int servedQueue(int number) {
        return number | 1;
    }

    private void put(SyntheticDriver driver, int queue, byte[] content) {
        long at = machine.allocate(content.length, 16);
        machine.memory().write(at, content);
        driver.queue(queue).begin().out(at, content.length).add();
        driver.queue(queue).kick();
        driver.queue(queue).await();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static String read(ByteChannel channel, int length) {
        try {
            ByteBuffer buffer = ByteBuffer.allocate(length);
            while (buffer.hasRemaining() && channel.read(buffer) >= 0) {
                // Until all is there.
            }
            return new String(buffer.array(), 0, buffer.position(), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String get(SyntheticDriver driver, int queue, int room) {
        long at = machine.allocate(room, 16);
        driver.queue(queue)
                .begin()
                .in(at, room / 2)
                .in(at + room / 2, room - room / 2)
                .add();
        driver.queue(queue).kick();
        driver.queue(queue).await();
        byte[] content = new byte[driver.queue(queue).lastLength()];
        machine.memory().read(at, content, 0, content.length);
        return new String(content, StandardCharsets.US_ASCII);
    }

    @Override
    protected void exercise(SyntheticDriver driver) {
        try (ByteChannel channel = device.open(0)) {
            put(driver, 1, ascii("hello from the guest"));
            assertThat(read(channel, 20)).isEqualTo("hello from the guest");
            channel.write(ByteBuffer.wrap(ascii("hello guest")));
            assertThat(get(driver, 0, 100)).isEqualTo("hello guest");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] message(int port, int event, int value) {
        return new byte[] {(byte) port, 0, 0, 0, (byte) event, 0, (byte) value, 0};
    }

    /** {@return the messages that wait for the driver, as text} */
    private List<String> messages(SyntheticDriver driver, int count) {
        List<String> messages = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long at = machine.allocate(64, 16);
            driver.queue(2).begin().in(at, 64).add();
            driver.queue(2).kick();
            driver.queue(2).await();
            byte[] rest = new byte[driver.queue(2).lastLength() - 8];
            machine.memory().read(at + 8, rest, 0, rest.length);
            String name = machine.memory().readShort(at + 4) == 5
                    ? rest[0] + "x" + rest[2]
                    : new String(rest, StandardCharsets.US_ASCII);
            messages.add("%d:%d=%d%s"
                    .formatted(
                            machine.memory().readInt(at),
                            machine.memory().readShort(at + 4),
                            machine.memory().readShort(at + 6),
                            name));
        }
        return messages;
    }

    @Test
    void portsAreAnnouncedNamedAndOpened() throws IOException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        assertThat(driver.transport().config(0, 4)).isEqualTo(100 | 40 << 16);
        assertThat(driver.transport().config(4, 4)).isEqualTo(2);
        put(driver, 3, message(0, 0, 1));
        assertThat(messages(driver, 2)).containsExactly("0:1=1", "1:1=1");
        put(driver, 3, message(0, 3, 1));
        assertThat(messages(driver, 3)).containsExactly("0:4=1", "0:5=0100x40", "0:6=1");
        put(driver, 3, message(1, 3, 1));
        assertThat(messages(driver, 1)).containsExactly("1:7=1org.test.0");

        ByteChannel channel = device.open(1);
        assertThat(messages(driver, 1)).containsExactly("1:6=1");
        channel.write(ByteBuffer.wrap(ascii("early")));
        put(driver, 3, message(1, 6, 1));
        assertThat(get(driver, 4, 20)).isEqualTo("early");
        put(driver, 5, ascii("answer"));
        assertThat(read(channel, 6)).isEqualTo("answer");
        channel.close();
        assertThat(messages(driver, 1)).containsExactly("1:6=0");
        device.resize(120, 50);
        assertThat(messages(driver, 1)).containsExactly("0:5=0120x50");
        assertThat(driver.transport().config(0, 4)).isEqualTo(120 | 50 << 16);
    }

    @Test
    void singlePortDriverWorks() throws IOException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()))
                .start(~Features.of(ConsoleDevice.FEATURE_MULTIPORT), 64);
        exercise(driver);
        try (ByteChannel channel = device.open(0)) {
            driver.transport().setConfig(8, 4, '!');
            assertThat(read(channel, 1)).isEqualTo("!");
        }
    }

    @Test
    void outputGoesNowhereWhileNobodyListens() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        for (int i = 0; i < 100; i++) {
            put(driver, 1, new byte[4096]);
        }
        exercise(driver);
    }

    @Test
    void slowReaderHoldsTheGuestBackAndNothingIsLost() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        ByteChannel channel = device.open(0);
        byte[] content = new byte[300_000];
        new Random(1).nextBytes(content);
        long at = machine.allocate(content.length, 16);
        machine.memory().write(at, content);
        DriverQueue queue = driver.queue(1);
        queue.begin().out(at, 100_000).out(at + 100_000, 200_000).add();
        queue.kick();
        CompletableFuture<byte[]> reader = CompletableFuture.supplyAsync(() -> {
            byte[] read = new byte[content.length];
            ByteBuffer buffer = ByteBuffer.wrap(read);
            try {
                while (buffer.hasRemaining()) {
                    channel.read(buffer);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return read;
        });
        queue.await();
        assertThat(reader.join()).isEqualTo(content);
    }

    @Test
    void portIsOpenOnlyOnce() throws IOException {
        ByteChannel channel = device.open(0);
        assertThatThrownBy(() -> device.open(0)).isInstanceOf(IllegalStateException.class);
        channel.close();
        assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1))).isInstanceOf(IOException.class);
        device.open(0).close();
    }

    @Test
    void driverThatDoesNotListenNeedsAReset() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        byte[] ready = message(0, 3, 1);
        long at = machine.allocate(ready.length, 16);
        machine.memory().write(at, ready);
        for (int i = 0; i < 200 && !driver.needsReset(); i++) {
            driver.queue(3).begin().out(at, ready.length).add();
            driver.queue(3).kick();
            SyntheticDriver.await("answer", () -> driver.queue(3).poll() >= 0 || driver.needsReset());
        }
        assertThat(driver.needsReset()).isTrue();
    }
}
