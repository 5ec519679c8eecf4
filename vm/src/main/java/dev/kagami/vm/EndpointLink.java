package dev.kagami.vm;

import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.PortListener;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.LockSupport;

/** Carries frames between a card's cable and a program's endpoint, on a thread of its own. */
final class EndpointLink implements PortListener, AutoCloseable {
    private final EthernetEndpoint endpoint;
    private final EthernetPort port;
    private final Thread thread;
    private volatile boolean closed;
    /** On the thread only. */
    private boolean failed;

    EndpointLink(EthernetEndpoint endpoint, EthernetPort port, int number) {
        this.endpoint = endpoint;
        this.port = port;
        thread = Thread.ofPlatform().daemon().name("kagami-endpoint-" + number).unstarted(this::carry);
        port.listen(this);
        thread.start();
    }

    @Override
    public void readable() {
        LockSupport.unpark(thread);
    }

    private boolean send(ByteBuffer source) {
        ByteBuffer bytes = source.duplicate();
        if (bytes.remaining() < Frame.MINIMUM_LENGTH || bytes.remaining() > Frame.MAXIMUM_LENGTH) {
            throw new IllegalArgumentException("a frame can't have %d bytes; give %d to %d"
                    .formatted(bytes.remaining(), Frame.MINIMUM_LENGTH, Frame.MAXIMUM_LENGTH));
        }
        if (closed || !port.canSend()) {
            return false;
        }
        Frame frame = port.allocate(bytes.remaining());
        frame.buffer().put(0, bytes, bytes.position(), bytes.remaining());
        if (port.send(frame)) {
            return true;
        }
        frame.release();
        return false;
    }

    private void carry() {
        call(() -> endpoint.connected(this::send));
        while (!closed) {
            Frame frame = port.receive();
            if (frame == null) {
                LockSupport.park(this);
                continue;
            }
            call(() -> endpoint.received(frame.buffer().slice(0, frame.length()).asReadOnlyBuffer()));
            frame.release();
        }
        call(endpoint::disconnected);
    }

    /** Calls the program; after an exception it is called no more, and the guest's frames are lost. */
    private void call(Runnable action) {
        if (failed) {
            return;
        }
        try {
            action.run();
        } catch (RuntimeException e) {
            failed = true;
            System.getLogger(EndpointLink.class.getName())
                    .log(System.Logger.Level.ERROR, "an Ethernet endpoint failed and gets no more frames", e);
        }
    }

    /** Waits until the endpoint has heard of the end. */
    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
