package dev.kagami.vm;

import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;

/**
 * A port of the virtio console device: a console ({@code hvc0} to Linux) or a named stream of bytes ({@code
 * /dev/virtio-ports/NAME}). Much faster than a serial port, and there when the guest has loaded its driver.
 *
 * @param name its name, 1 to 64 ASCII characters without a slash, of its own in the machine
 * @param console whether the guest makes it a console
 * @param attachment what the host's side is connected to
 */
public record Port(String name, boolean console, Attachment attachment) {
    /** What the host's side of a port is connected to. */
    public sealed interface Attachment {}

    /** Nothing, until {@link VirtualMachine#openPort} opens it. What the guest writes before is dropped. */
    public record OnDemand() implements Attachment {}

    /**
     * Streams, which are never closed. As with {@link SerialConsole}, a read that blocks can't be taken back, and the end of
     * the input is not the end of the machine.
     *
     * @param input what the guest receives
     * @param output where the guest's bytes go; flushed without delay
     */
    public record Streams(InputStream input, OutputStream output) implements Attachment {}

    /**
     * A file that the guest's bytes are added to.
     *
     * @param file the file, made if it isn't there
     */
    public record ToFile(Path file) implements Attachment {}

    /**
     * Describes a console.
     *
     * @param name its name to the host; guests number their consoles: the first is {@code hvc0}
     * @return the port, opened on demand
     */
    public static Port console(String name) {
        return new Port(name, true, new OnDemand());
    }

    /**
     * Describes a stream of bytes.
     *
     * @param name its name
     * @return the port, opened on demand
     */
    public static Port named(String name) {
        return new Port(name, false, new OnDemand());
    }

    /**
     * Connects streams.
     *
     * @param input what the guest receives
     * @param output where the guest's bytes go
     * @return the port with streams
     */
    public Port streams(InputStream input, OutputStream output) {
        return new Port(name, console, new Streams(input, output));
    }

    /**
     * Records what the guest writes.
     *
     * @param file the file to add to
     * @return the port with a file
     */
    public Port toFile(Path file) {
        return new Port(name, console, new ToFile(file));
    }
}
