package dev.kagami.virtio.console;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What a {@link ConsoleDevice} is made of.
 *
 * @param ports its ports, 1 to 30; the first one is what a driver without support for several ports uses
 * @param columns width of the terminal in characters
 * @param rows height of the terminal in characters
 */
public record ConsoleConfig(List<Port> ports, int columns, int rows) {
    /** Largest number of ports. */
    public static final int MAX_PORTS = 30;

    private static final int MAX_NAME = 64;
    private static final int MAX_SIZE = 0xFFFF;

    /**
     * One port.
     *
     * @param name its name, which guests show in {@code /dev/virtio-ports}; may be empty for a console
     * @param console whether the guest should make it a console
     */
    public record Port(String name, boolean console) {
        /** Checks the values. */
        public Port {
            if (name.length() > MAX_NAME
                    || !StandardCharsets.US_ASCII.newEncoder().canEncode(name)) {
                throw new IllegalArgumentException("a port's name has up to 64 ASCII characters: " + name);
            }
        }
    }

    /** Checks the values. */
    public ConsoleConfig {
        ports = List.copyOf(ports);
        if (ports.isEmpty() || ports.size() > MAX_PORTS) {
            throw new IllegalArgumentException("a console device has 1 to 30 ports, not " + ports.size());
        }
        if (columns < 0 || columns > MAX_SIZE || rows < 0 || rows > MAX_SIZE) {
            throw new IllegalArgumentException("a terminal of %d by %d".formatted(columns, rows));
        }
    }

    /** {@return one console of the usual size} */
    public static ConsoleConfig console() {
        return new ConsoleConfig(List.of(new Port("", true)), 80, 25);
    }
}
