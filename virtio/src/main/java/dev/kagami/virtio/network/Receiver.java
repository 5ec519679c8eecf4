package dev.kagami.virtio.network;

import dev.kagami.memory.GuestMemory;
import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.VirtioNetHeader;
import dev.kagami.virtio.BrokenQueueException;
import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.Virtqueue;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** From the network to the guest (virtio 1.2, 5.1.6.4). Used on the device's thread. */
final class Receiver {
    /** So many frames may be delivered before the guest hears of the first of them. */
    private static final int FRAMES_PER_INTERRUPT = 16;

    private final EthernetPort port;
    private final Virtqueue queue;
    private final GuestMemory memory;
    private final ReceiveFilter filter;
    private final boolean mergeable;
    private final MemorySegment header = MemorySegment.ofArray(new byte[VirtioNetHeader.LENGTH]);
    /** The buffers of one frame; grows to what drivers really use. */
    private final @Nullable DescriptorChain[] chains;
    /** A frame for which the guest had no buffers. */
    private @Nullable Frame held;

    Receiver(EthernetPort port, DeviceContext context, ReceiveFilter filter) {
        this.port = port;
        this.queue = context.queue(NetworkDevice.RECEIVE);
        this.memory = context.memory();
        this.filter = filter;
        this.mergeable = context.has(NetworkDevice.FEATURE_MERGEABLE);
        this.chains = new DescriptorChain[Math.max(queue.size(), 1)];
    }

    void serve() {
        int frames = 0;
        while (true) {
            // New buffers are only news while a frame waits for them.
            queue.disableNotifications();
            Frame frame = held != null ? held : port.receive();
            if (frame == null) {
                break;
            }
            held = frame;
            if (filter.accepts(frame) && !deliver(frame)) {
                queue.interrupt();
                if (queue.enableNotifications() && hasRoomFor(frame)) {
                    continue;
                }
                return;
            }
            held = null;
            frame.release();
            if (++frames % FRAMES_PER_INTERRUPT == 0) {
                queue.interrupt();
            }
        }
        queue.interrupt();
    }

    /** Looks whether enough buffers have come meanwhile; a driver that adds too few each time must not keep us here. */
    private boolean hasRoomFor(Frame frame) {
        int taken = take(frame.length() + VirtioNetHeader.LENGTH);
        queue.unpop(Math.abs(taken));
        return taken > 0;
    }

    /** Takes buffers. {@return how many, negated when they aren't enough} */
    private int take(long needed) {
        int taken = 0;
        long room = 0;
        while (room < needed) {
            if (taken == chains.length || !mergeable && taken == 1) {
                return -taken;
            }
            DescriptorChain chain = chains[taken];
            if (chain == null) {
                chain = new DescriptorChain(memory);
                chains[taken] = chain;
            }
            if (!queue.pop(chain)) {
                return -taken;
            }
            if (chain.readable() != 0 || taken == 0 && chain.writable() < VirtioNetHeader.LENGTH) {
                throw new BrokenQueueException("a receive buffer that can't be received into");
            }
            room += chain.writable();
            taken++;
        }
        return taken;
    }

    /** {@return whether the frame is done with: delivered, or impossible to deliver} */
    private boolean deliver(Frame frame) {
        int taken = take(frame.length() + VirtioNetHeader.LENGTH);
        if (taken <= 0) {
            queue.unpop(-taken);
            // All of the ring, or the one buffer that a frame may have, will never be enough.
            return -taken == (mergeable ? chains.length : 1);
        }
        VirtioNetHeader.write(frame, header, 0, taken);
        long position = 0;
        for (int i = 0; i < taken; i++) {
            DescriptorChain chain = chains[i];
            if (chain == null) {
                break;
            }
            if (i == 0) {
                chain.write(header, 0, VirtioNetHeader.LENGTH);
            }
            long bytes = Math.min(chain.writable(), frame.length() - position);
            chain.write(frame.segment(), position, bytes);
            position += bytes;
            queue.stage(chain, chain.written());
        }
        // The driver must find all buffers of a frame at once.
        queue.publish();
        return true;
    }

    void close() {
        if (held != null) {
            held.release();
            held = null;
        }
    }
}
