package dev.kagami.net;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One end of a cable. All methods may be called from any thread, and never block. */
public interface EthernetPort {
    /** Sets who is told about frames and room. A frame that came before is told now. */
    void listen(PortListener listener);

    /** Says what this end can take; the link does in software what it can't. At first it is nothing. */
    void setReceiveOffloads(Set<ReceiveOffload> offloads);

    /** {@return what the other end can take without work in software} */
    Set<ReceiveOffload> peerOffloads();

    /**
     * {@return a frame of that length, whose content and offload fields are to be set}
     *
     * @throws IllegalArgumentException if the length isn't from 0 to {@link Frame#MAXIMUM_LENGTH}
     */
    Frame allocate(int length);

    /**
     * Sends a frame. A malformed one is counted and thrown away, and so is every frame while the link is down.
     *
     * @return whether the frame was taken: if so it isn't the caller's any more; if not, there is no room, and
     *     {@link PortListener#writable()} will say when there is
     */
    boolean send(Frame frame);

    /** {@return whether a frame could be sent now; if not, {@link PortListener#writable()} will say when} */
    boolean canSend();

    /** {@return the next frame, for the caller to {@linkplain Frame#release() release}; null if there is none} */
    @Nullable
    Frame receive();

    /** {@return the number of frames that {@link #receive()} would give now} */
    int receivable();

    /** {@return the number of frames sent that the other end hasn't taken yet} */
    int unreceived();

    /** {@return whether the link is up} */
    boolean isUp();

    /** {@return what went through this port since it exists} */
    PortStatistics statistics();
}
