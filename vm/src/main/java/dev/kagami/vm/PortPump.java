package dev.kagami.vm;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import org.jspecify.annotations.Nullable;

/** Carries bytes between a port of the guest and streams of the host, on threads of its own. */
final class PortPump implements AutoCloseable {
    private static final int CHUNK = 8192;

    private final ByteChannel port;
    private final Thread writer;

    /**
     * Starts to carry.
     *
     * @param name the port's name
     * @param port the port; closed when this is
     * @param input what the guest receives, or null for nothing
     * @param output where its bytes go
     */
    PortPump(String name, ByteChannel port, @Nullable InputStream input, OutputStream output) {
        this.port = port;
        writer = Thread.ofPlatform().name("kagami-port-" + name).start(() -> writeOut(output));
        if (input != null) {
            // A daemon: nobody can take back a read that blocks on a terminal.
            Thread.ofPlatform().daemon().name("kagami-port-input-" + name).start(() -> readIn(input));
        }
    }

    private void writeOut(OutputStream output) {
        byte[] chunk = new byte[CHUNK];
        boolean broken = false;
        try {
            int length;
            while ((length = port.read(ByteBuffer.wrap(chunk))) >= 0) {
                broken = broken || !write(output, chunk, length);
            }
        } catch (IOException e) {
            System.getLogger(PortPump.class.getName()).log(System.Logger.Level.DEBUG, "the port was closed", e);
        }
    }

    /** {@return whether it could be written; the guest's output goes nowhere then, rather than hold the guest} */
    private static boolean write(OutputStream output, byte[] chunk, int length) {
        try {
            output.write(chunk, 0, length);
            output.flush();
            return true;
        } catch (IOException e) {
            System.getLogger(PortPump.class.getName())
                    .log(System.Logger.Level.WARNING, "a port's output is lost from here on", e);
            return false;
        }
    }

    private void readIn(InputStream input) {
        byte[] chunk = new byte[CHUNK];
        try {
            int length;
            while ((length = input.read(chunk)) >= 0) {
                port.write(ByteBuffer.wrap(chunk, 0, length));
            }
        } catch (IOException e) {
            // The end of the input, whatever the reason, is not the end of the machine.
            System.getLogger(PortPump.class.getName())
                    .log(System.Logger.Level.DEBUG, "no more input for a port from here on", e);
        }
    }

    /** Waits until all that the guest has written is out, which the end of its device must have made finite. */
    @Override
    public void close() {
        boolean interrupted = false;
        while (writer.isAlive()) {
            try {
                writer.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        try {
            port.close();
        } catch (IOException e) {
            System.getLogger(PortPump.class.getName()).log(System.Logger.Level.DEBUG, "closing a port", e);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
