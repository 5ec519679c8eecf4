package dev.kagami.virtio.network;

import dev.kagami.net.Frame;
import java.util.Arrays;

/** Which frames a guest wants (virtio 1.2, 5.1.6.5.1 and 5.1.6.5.2). Used on the device's thread. */
final class ReceiveFilter {
    /** Addresses that are filtered exactly; with more of them everything of their kind passes. */
    static final int MAX_ADDRESSES = 64;

    private static final long BROADCAST = 0xFFFF_FFFF_FFFFL;
    private static final long GROUP_BIT = 0x0100_0000_0000L;

    private long mac;
    /** At first everything passes: a driver that knows nothing of filters expects that. */
    private boolean promiscuous = true;

    private boolean allUnicast;
    private boolean allMulticast;
    private boolean noUnicast;
    private boolean noMulticast;
    private boolean noBroadcast;
    private final long[] addresses = new long[2 * MAX_ADDRESSES];
    private int addressCount;
    private boolean unicastOverflow;
    private boolean multicastOverflow;

    ReceiveFilter(long mac) {
        this.mac = mac;
    }

    void setMac(long address) {
        mac = address;
    }

    /** Sets a mode by the number of its command. {@return false when there is no such mode} */
    boolean setMode(int command, boolean on) {
        switch (command) {
            case 0 -> promiscuous = on;
            case 1 -> allMulticast = on;
            case 2 -> allUnicast = on;
            case 3 -> noMulticast = on;
            case 4 -> noUnicast = on;
            case 5 -> noBroadcast = on;
            default -> {
                return false;
            }
        }
        return true;
    }

    /** Forgets all addresses, for new ones to be added. */
    void clearAddresses() {
        addressCount = 0;
        unicastOverflow = false;
        multicastOverflow = false;
    }

    void addAddress(long address) {
        addresses[addressCount++] = address;
    }

    /** Says that there are more addresses of a kind than fit. */
    void overflow(boolean multicast) {
        if (multicast) {
            multicastOverflow = true;
        } else {
            unicastOverflow = true;
        }
    }

    NetworkState state(long offloads) {
        boolean[] modes = {
            promiscuous,
            allUnicast,
            allMulticast,
            noUnicast,
            noMulticast,
            noBroadcast,
            unicastOverflow,
            multicastOverflow
        };
        int bits = 0;
        for (int i = 0; i < modes.length; i++) {
            bits |= modes[i] ? 1 << i : 0;
        }
        return new NetworkState(mac, bits, Arrays.copyOf(addresses, addressCount), offloads);
    }

    void setState(NetworkState state) {
        if (state.addresses().length > addresses.length) {
            throw new IllegalArgumentException("%d addresses of a network card".formatted(state.addresses().length));
        }
        mac = state.mac();
        int modes = state.modes();
        promiscuous = (modes & 1) != 0;
        allUnicast = (modes & 1 << 1) != 0;
        allMulticast = (modes & 1 << 2) != 0;
        noUnicast = (modes & 1 << 3) != 0;
        noMulticast = (modes & 1 << 4) != 0;
        noBroadcast = (modes & 1 << 5) != 0;
        unicastOverflow = (modes & 1 << 6) != 0;
        multicastOverflow = (modes & 1 << 7) != 0;
        addressCount = state.addresses().length;
        System.arraycopy(state.addresses(), 0, addresses, 0, addressCount);
    }

    /** {@return whether the guest wants a frame} */
    boolean accepts(Frame frame) {
        if (promiscuous) {
            return true;
        }
        long destination = frame.buffer().getLong(0) >>> 16;
        if (destination == BROADCAST) {
            return !noBroadcast;
        }
        if ((destination & GROUP_BIT) != 0) {
            return !noMulticast && (allMulticast || multicastOverflow || isListed(destination));
        }
        return !noUnicast && (allUnicast || unicastOverflow || destination == mac || isListed(destination));
    }

    private boolean isListed(long address) {
        for (int i = 0; i < addressCount; i++) {
            if (addresses[i] == address) {
                return true;
            }
        }
        return false;
    }
}
