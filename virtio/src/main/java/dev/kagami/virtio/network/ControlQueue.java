package dev.kagami.virtio.network;

import dev.kagami.virtio.BrokenQueueException;
import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.Virtqueue;

/** Commands of the driver to the card (virtio 1.2, 5.1.6.5). Used on the device's thread. */
final class ControlQueue {
    private static final int CLASS_RECEIVE = 0;
    private static final int CLASS_MAC = 1;
    private static final int CLASS_OFFLOADS = 5;
    private static final int MAC_TABLE_SET = 0;
    private static final int MAC_ADDRESS_SET = 1;
    private static final int OFFLOADS_SET = 0;
    private static final int ACK_OK = 0;
    private static final int ACK_ERROR = 1;
    private static final int MAC_OCTETS = 6;
    private static final long GROUP_BIT = 0x0100_0000_0000L;

    private final NetworkDevice device;
    private final ReceiveFilter filter;
    private final Virtqueue queue;
    private final DescriptorChain chain;

    ControlQueue(NetworkDevice device, DeviceContext context, ReceiveFilter filter) {
        this.device = device;
        this.filter = filter;
        this.queue = context.queue(NetworkDevice.CONTROL);
        this.chain = new DescriptorChain(context.memory());
    }

    void serve() {
        do {
            queue.disableNotifications();
            while (queue.pop(chain)) {
                if (chain.readable() < 2) {
                    throw new BrokenQueueException("a command without a command");
                }
                int family = chain.readByte();
                int command = chain.readByte();
                chain.writeByte(execute(family, command) ? ACK_OK : ACK_ERROR);
                queue.push(chain, 1);
            }
        } while (queue.enableNotifications());
        queue.interrupt();
    }

    private boolean execute(int family, int command) {
        return switch (family) {
            case CLASS_RECEIVE -> chain.readable() >= 1 && filter.setMode(command, chain.readByte() != 0);
            case CLASS_MAC ->
                switch (command) {
                    case MAC_TABLE_SET -> setTable();
                    case MAC_ADDRESS_SET -> setAddress();
                    default -> false;
                };
            case CLASS_OFFLOADS -> command == OFFLOADS_SET && setOffloads();
            default -> false;
        };
    }

    private boolean setTable() {
        filter.clearAddresses();
        return addAddresses(false) && addAddresses(true);
    }

    private boolean addAddresses(boolean multicast) {
        if (chain.readable() < 4) {
            return false;
        }
        long count = chain.readInt() & 0xFFFF_FFFFL;
        if (count * MAC_OCTETS > chain.readable()) {
            return false;
        }
        if (count > ReceiveFilter.MAX_ADDRESSES) {
            chain.skipReadable(count * MAC_OCTETS);
            filter.overflow(multicast);
            return true;
        }
        for (int i = 0; i < count; i++) {
            filter.addAddress(readAddress());
        }
        return true;
    }

    private boolean setAddress() {
        if (chain.readable() < MAC_OCTETS) {
            return false;
        }
        long address = readAddress();
        if ((address & GROUP_BIT) != 0) {
            return false;
        }
        filter.setMac(address);
        device.setMac(address);
        return true;
    }

    private long readAddress() {
        long address = 0;
        for (int i = 0; i < MAC_OCTETS; i++) {
            address = address << 8 | chain.readByte();
        }
        return address;
    }

    private boolean setOffloads() {
        if (chain.readable() < 8) {
            return false;
        }
        device.setOffloads(chain.readLong());
        return true;
    }
}
