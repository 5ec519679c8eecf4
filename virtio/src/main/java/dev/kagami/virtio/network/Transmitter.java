package dev.kagami.virtio.network;

import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.VirtioNetHeader;
import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.Virtqueue;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** From the guest to the network (virtio 1.2, 5.1.6.2). Used on the device's thread. */
final class Transmitter {
    /** So many frames may be sent before the guest hears that the first of them is. */
    private static final int FRAMES_PER_INTERRUPT = 32;

    private final EthernetPort port;
    private final Virtqueue queue;
    private final DescriptorChain chain;
    private final MemorySegment header = MemorySegment.ofArray(new byte[VirtioNetHeader.LENGTH]);
    /** A frame for which the network had no room. */
    private @Nullable Frame held;

    Transmitter(EthernetPort port, DeviceContext context) {
        this.port = port;
        this.queue = context.queue(NetworkDevice.TRANSMIT);
        this.chain = new DescriptorChain(context.memory());
    }

    void serve() {
        int frames = 0;
        do {
            queue.disableNotifications();
            while (sendHeld() && queue.pop(chain)) {
                held = take();
                // Everything is copied, so the guest can have its buffers back wherever the frame is now.
                queue.push(chain, 0);
                if (++frames % FRAMES_PER_INTERRUPT == 0) {
                    queue.interrupt();
                }
            }
            // While a frame is held, new ones wait in the ring and the network says when to go on.
        } while (held == null && queue.enableNotifications());
        queue.interrupt();
    }

    /** {@return whether nothing is held any more} */
    private boolean sendHeld() {
        Frame frame = held;
        if (frame != null) {
            if (!port.send(frame)) {
                return false;
            }
            held = null;
        }
        return true;
    }

    /** {@return the frame of the chain, or null when it is none} */
    private @Nullable Frame take() {
        long length = chain.readable() - VirtioNetHeader.LENGTH;
        if (length < Frame.MINIMUM_LENGTH || length > Frame.MAXIMUM_LENGTH) {
            return null;
        }
        chain.read(header, 0, VirtioNetHeader.LENGTH);
        Frame frame = port.allocate((int) length);
        chain.read(frame.segment(), 0, length);
        if (!VirtioNetHeader.read(header, 0, frame)) {
            frame.release();
            return null;
        }
        return frame;
    }

    void close() {
        if (held != null) {
            held.release();
            held = null;
        }
    }
}
