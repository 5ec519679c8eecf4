package dev.kagami.virtio.console;

import dev.kagami.virtio.BrokenQueueException;
import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.Virtqueue;
import dev.kagami.virtio.stream.ByteRing;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** An active console device. Queues are served on the device's thread. */
final class ConsoleHandler {
    private static final int CONTROL_RECEIVE = 2;
    private static final int CONTROL_TRANSMIT = 3;
    private static final int MESSAGE = 8;
    /** Messages that may wait for the driver to take them; it gets a few for each of its own. */
    private static final int MAX_WAITING = 256;

    private static final int DEVICE_READY = 0;
    private static final int PORT_ADD = 1;
    private static final int PORT_READY = 3;
    private static final int CONSOLE_PORT = 4;
    private static final int RESIZE = 5;
    private static final int PORT_OPEN = 6;
    private static final int PORT_NAME = 7;

    private final ConsoleDevice device;
    private final DeviceContext context;
    private final MemorySegment ram;
    private final boolean multiport;
    private final PortHandler[] ports;
    private final DescriptorChain chain;
    /** Guarded by itself: other threads add to it. */
    private final ArrayDeque<byte[]> waiting = new ArrayDeque<>();

    /** What the driver has said about a port. */
    private static final class PortHandler {
        final ConsolePort host;
        final boolean console;
        final int receive;
        final DescriptorChain output;
        /** Whether a request of the guest is only half written to the host. */
        boolean unfinished;
        /** How many bytes of it are written. */
        long written;
        /** How many bytes of the next request were written before a snapshot. */
        long skip;
        /** Whether the guest has closed it, and the host isn't told yet. */
        boolean closing;

        volatile boolean ready;
        boolean guestOpen;

        PortHandler(ConsolePort host, boolean console, int receive, DescriptorChain output) {
            this.host = host;
            this.console = console;
            this.receive = receive;
            this.output = output;
        }
    }

    ConsoleHandler(ConsoleDevice device, DeviceContext context) {
        this.device = device;
        this.context = context;
        this.ram = context.memory().segment();
        this.multiport = context.has(ConsoleDevice.FEATURE_MULTIPORT);
        this.chain = new DescriptorChain(context.memory());
        int count = multiport ? device.settings().ports().size() : 1;
        ports = new PortHandler[count];
        for (int i = 0; i < count; i++) {
            int number = i;
            // Queues of port 0 come first, then those for control, then the other ports'.
            int receive = i == 0 ? 0 : 2 * i + 2;
            boolean console = !multiport || device.settings().ports().get(i).console();
            ports[i] = new PortHandler(device.port(i), console, receive, new DescriptorChain(context.memory()));
            device.port(i).toGuest().setDeviceWaiter(() -> context.wake(receive));
            device.port(i).fromGuest().setDeviceWaiter(() -> context.wake(receive + 1));
            device.port(i).setOpenListener(() -> openChanged(number));
        }
    }

    void close() {
        for (int i = 0; i < ports.length; i++) {
            device.port(i).toGuest().setDeviceWaiter(() -> {});
            device.port(i).fromGuest().setDeviceWaiter(() -> {});
            device.port(i).setOpenListener(() -> {});
        }
    }

    ConsoleState state() {
        List<ConsoleState.Port> states = new ArrayList<>();
        for (PortHandler port : ports) {
            states.add(new ConsoleState.Port(port.ready, port.guestOpen, port.unfinished, port.written));
        }
        synchronized (waiting) {
            return new ConsoleState(
                    states, waiting.stream().map(ConsoleState.Message::new).toList());
        }
    }

    void setState(ConsoleState state) {
        if (state.ports().size() != ports.length) {
            throw new IllegalArgumentException("a console with %d ports, not %d"
                    .formatted(ports.length, state.ports().size()));
        }
        for (int i = 0; i < ports.length; i++) {
            ConsoleState.Port saved = state.ports().get(i);
            ports[i].ready = saved.ready();
            ports[i].guestOpen = saved.guestOpen();
            ports[i].skip = saved.unfinished() ? saved.written() : 0;
        }
        synchronized (waiting) {
            state.messages().forEach(message -> waiting.add(message.bytes()));
        }
    }

    /** Tells how many requests of a queue are half written to the host. */
    int held(int queue) {
        boolean output = (queue & 1) == 1 && queue != CONTROL_TRANSMIT;
        int port = queue < CONTROL_RECEIVE ? 0 : (queue - 2) / 2;
        return output && port < ports.length && ports[port].unfinished ? 1 : 0;
    }

    void serve(int queue) {
        if (queue == CONTROL_RECEIVE) {
            sendControl();
        } else if (queue == CONTROL_TRANSMIT) {
            takeControl();
        } else {
            int port = queue < CONTROL_RECEIVE ? 0 : (queue - 2) / 2;
            if (port < ports.length) {
                if ((queue & 1) == 0) {
                    input(ports[port]);
                } else {
                    output(ports[port]);
                }
            }
        }
    }

    /** From the host to the guest. */
    private void input(PortHandler port) {
        Virtqueue queue = context.queue(port.receive);
        ByteRing ring = port.host.toGuest();
        boolean wanted = port.console || port.guestOpen;
        do {
            queue.disableNotifications();
            while (wanted && ring.available() > 0 && queue.pop(chain)) {
                while (chain.writablePiece() > 0) {
                    int room = (int) Math.min(chain.writablePiece(), Integer.MAX_VALUE);
                    int read = ring.read(ram, chain.writableOffset(), room);
                    if (read == 0) {
                        break;
                    }
                    chain.skipWritable(read);
                }
                queue.push(chain, chain.written());
            }
            // New buffers are only news while there is something to put into them.
        } while (wanted && ring.available() > 0 && queue.enableNotifications());
        queue.interrupt();
    }

    /** From the guest to the host. */
    private void output(PortHandler port) {
        Virtqueue queue = context.queue(port.receive + 1);
        do {
            queue.disableNotifications();
            while (port.unfinished || take(port, queue)) {
                port.unfinished = !drain(port);
                if (port.unfinished) {
                    // The host's reader says when it has made room.
                    queue.interrupt();
                    return;
                }
                queue.push(port.output, 0);
            }
        } while (queue.enableNotifications());
        queue.interrupt();
        if (port.closing) {
            port.closing = false;
            port.host.guestClosed();
        }
    }

    private static boolean take(PortHandler port, Virtqueue queue) {
        if (!queue.pop(port.output)) {
            return false;
        }
        port.written = Math.min(port.skip, port.output.readable());
        port.output.skipReadable(port.written);
        port.skip = 0;
        return true;
    }

    /** {@return whether all of a request was written} */
    private boolean drain(PortHandler port) {
        DescriptorChain output = port.output;
        while (output.readablePiece() > 0) {
            int piece = (int) Math.min(output.readablePiece(), Integer.MAX_VALUE);
            int written = port.host.fromGuest().write(ram, output.readableOffset(), piece);
            if (written == 0) {
                return false;
            }
            output.skipReadable(written);
            port.written += written;
        }
        return true;
    }

    /** Messages from the driver (virtio 1.2, 5.3.6.2). */
    private void takeControl() {
        Virtqueue queue = context.queue(CONTROL_TRANSMIT);
        do {
            queue.disableNotifications();
            while (queue.pop(chain)) {
                if (chain.readable() < MESSAGE) {
                    throw new BrokenQueueException("half of a message");
                }
                int port = chain.readInt();
                int event = chain.readShort();
                take(port, event, chain.readShort());
                queue.push(chain, 0);
            }
        } while (queue.enableNotifications());
        queue.interrupt();
        sendControl();
    }

    private void take(int number, int event, int value) {
        if (event == DEVICE_READY) {
            for (int i = 0; i < ports.length && value == 1; i++) {
                post(i, PORT_ADD, 1, new byte[0]);
            }
            return;
        }
        if (number < 0 || number >= ports.length) {
            return;
        }
        PortHandler port = ports[number];
        if (event == PORT_READY && value == 1) {
            portReady(number, port);
        } else if (event == PORT_OPEN) {
            port.closing |= port.guestOpen && value == 0;
            port.guestOpen = value != 0;
            // What was written before may still be in the queue.
            output(port);
            context.wake(port.receive);
        }
    }

    private void portReady(int number, PortHandler port) {
        port.ready = true;
        if (port.console) {
            post(number, CONSOLE_PORT, 1, new byte[0]);
            postSize(number);
        }
        String name = device.settings().ports().get(number).name();
        if (!name.isEmpty()) {
            post(number, PORT_NAME, 1, name.getBytes(StandardCharsets.US_ASCII));
        }
        if (port.console || port.host.isOpen()) {
            post(number, PORT_OPEN, 1, new byte[0]);
        }
    }

    /** Any thread may call this. */
    private void openChanged(int number) {
        if (multiport && ports[number].ready && !ports[number].console) {
            post(number, PORT_OPEN, device.port(number).isOpen() ? 1 : 0, new byte[0]);
            context.wake(CONTROL_RECEIVE);
        }
    }

    /** Any thread may call this. */
    void resized() {
        for (int i = 0; i < ports.length && multiport; i++) {
            if (ports[i].ready && ports[i].console) {
                postSize(i);
            }
        }
        context.wake(CONTROL_RECEIVE);
        context.configChanged();
    }

    private void postSize(int number) {
        int size = device.size();
        ByteBuffer body = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
        // Columns first. Some kernels take it the other way round; Debian 12's follows the specification.
        body.putInt(size);
        post(number, RESIZE, 0, body.array());
    }

    private void post(int port, int event, int value, byte[] body) {
        ByteBuffer message = ByteBuffer.allocate(MESSAGE + body.length).order(ByteOrder.LITTLE_ENDIAN);
        message.putInt(port).putShort((short) event).putShort((short) value).put(body);
        synchronized (waiting) {
            if (waiting.size() >= MAX_WAITING) {
                context.fail("a driver that doesn't listen");
                return;
            }
            waiting.add(message.array());
        }
    }

    /** Messages to the driver. */
    private void sendControl() {
        Virtqueue queue = context.queue(CONTROL_RECEIVE);
        do {
            queue.disableNotifications();
            while (sendNext(queue)) {
                // Until one side has no more.
            }
        } while (hasMessages() && queue.enableNotifications());
        queue.interrupt();
    }

    private boolean hasMessages() {
        synchronized (waiting) {
            return !waiting.isEmpty();
        }
    }

    private boolean sendNext(Virtqueue queue) {
        synchronized (waiting) {
            byte[] message = waiting.peekFirst();
            if (message == null || !queue.pop(chain)) {
                return false;
            }
            chain.write(message, 0, message.length);
            waiting.removeFirst();
        }
        queue.push(chain, chain.written());
        return true;
    }
}
