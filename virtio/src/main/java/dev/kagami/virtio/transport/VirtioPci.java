package dev.kagami.virtio.transport;

import dev.kagami.memory.GuestMemory;
import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.platform.device.IoApic;
import dev.kagami.platform.pci.FixedCapability;
import dev.kagami.platform.pci.MsiX;
import dev.kagami.platform.pci.PciBar;
import dev.kagami.platform.pci.PciFunction;
import dev.kagami.platform.pci.PciIdentity;
import dev.kagami.virtio.DriverInterface;
import dev.kagami.virtio.DriverInterface.QueuePart;
import dev.kagami.virtio.InterruptSink;
import dev.kagami.virtio.VirtioDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/**
 * A virtio device as a PCI function (virtio 1.2, 4.1), non-transitional. One window holds the registers, a second one the
 * interrupt table. Put {@link #function} on a {@link dev.kagami.platform.pci.PciHost}. Thread-safe.
 */
public final class VirtioPci implements InterruptSink {
    private static final int VENDOR = 0x1AF4;
    private static final int FIRST_DEVICE = 0x1040;
    private static final int REVISION = 1;
    private static final int SUBSYSTEM = 0x0040;

    private static final int REGISTERS_BAR = 0;
    private static final int INTERRUPTS_BAR = 1;
    private static final int REGISTERS_SIZE = 0x4000;
    private static final int COMMON_START = 0x0000;
    private static final int COMMON_SIZE = 0x40;
    private static final int ISR_START = 0x1000;
    private static final int NOTIFY_START = 0x2000;
    private static final int NOTIFY_MULTIPLIER = 4;
    private static final int CONFIG_START = 0x3000;
    private static final int CONFIG_SIZE = 0x1000;

    private static final int CAPABILITY_VENDOR = 0x09;
    private static final int TYPE_COMMON = 1;
    private static final int TYPE_NOTIFY = 2;
    private static final int TYPE_ISR = 3;
    private static final int TYPE_DEVICE = 4;
    private static final int CAPABILITY_LENGTH = 16;

    private static final int DEVICE_FEATURE_SELECT = 0x00;
    private static final int DEVICE_FEATURE = 0x04;
    private static final int DRIVER_FEATURE_SELECT = 0x08;
    private static final int DRIVER_FEATURE = 0x0C;
    private static final int CONFIG_VECTOR = 0x10;
    private static final int QUEUE_COUNT = 0x12;
    private static final int STATUS = 0x14;
    private static final int CONFIG_GENERATION = 0x15;
    private static final int QUEUE_SELECT = 0x16;
    private static final int QUEUE_SIZE = 0x18;
    private static final int QUEUE_VECTOR = 0x1A;
    private static final int QUEUE_ENABLE = 0x1C;
    private static final int QUEUE_NOTIFY_OFFSET = 0x1E;
    private static final int QUEUE_DESCRIPTORS = 0x20;
    private static final int QUEUE_DRIVER = 0x28;
    private static final int QUEUE_DEVICE = 0x30;

    private static final int NO_VECTOR = 0xFFFF;
    private static final int ISR_QUEUE = 1;
    private static final int ISR_CONFIG = 2;

    private final DriverInterface driver;
    private final PciFunction function;
    private final MsiX interrupts;
    /** The vector of each queue, and behind them that of configuration changes. */
    private final AtomicIntegerArray vectors;

    private final Object isrLock = new Object();
    private int isr;
    private int deviceFeatureSelect;
    private int driverFeatureSelect;
    private int queueSelect;

    /**
     * Makes the function of a device.
     *
     * @param device the device
     * @param memory the guest's RAM
     * @param messages where interrupt messages go
     */
    public VirtioPci(VirtioDevice device, GuestMemory memory, IoApic.MessageSink messages) {
        driver = new DriverInterface(device, memory, this);
        int queues = driver.queueCount();
        vectors = new AtomicIntegerArray(queues + 1);
        int id = device.type().id();
        function = new PciFunction(
                new PciIdentity(
                        VENDOR, FIRST_DEVICE + id, REVISION, device.type().pciClass(), VENDOR, SUBSYSTEM + id),
                true,
                this::resetDevice);
        function.add(PciBar.memory32(REGISTERS_BAR, REGISTERS_SIZE, 4, new Registers()));
        interrupts = new MsiX(queues + 1, INTERRUPTS_BAR, messages);
        function.add(interrupts);
        function.add(interrupts.bar());
        function.add(capability(TYPE_COMMON, COMMON_START, COMMON_SIZE));
        function.add(notifyCapability(NOTIFY_MULTIPLIER * queues));
        function.add(capability(TYPE_ISR, ISR_START, 1));
        if (device.config().size() > 0) {
            function.add(capability(TYPE_DEVICE, CONFIG_START, device.config().size()));
        }
        function.add(new ConfigurationAccess(function));
        function.setCommandListener(() -> driver.setMemoryAllowed(function.isBusMaster()));
        driver.setMemoryAllowed(false);
        reset();
    }

    private static FixedCapability capability(int type, int offset, int length) {
        return new FixedCapability(
                CAPABILITY_VENDOR,
                structure(type, offset, length, CAPABILITY_LENGTH).array());
    }

    private static FixedCapability notifyCapability(int length) {
        ByteBuffer structure = structure(TYPE_NOTIFY, NOTIFY_START, length, CAPABILITY_LENGTH + 4);
        structure.putInt(NOTIFY_MULTIPLIER);
        return new FixedCapability(CAPABILITY_VENDOR, structure.array());
    }

    /** {@code struct virtio_pci_cap} behind its first two bytes (virtio 1.2, 4.1.4). */
    private static ByteBuffer structure(int type, int offset, int length, int size) {
        ByteBuffer structure = ByteBuffer.allocate(size - 2).order(ByteOrder.LITTLE_ENDIAN);
        structure.put((byte) size).put((byte) type).put((byte) REGISTERS_BAR).put((byte) 0);
        return structure.putShort((short) 0).putInt(offset).putInt(length);
    }

    /** {@return what to put on the bus} */
    public PciFunction function() {
        return function;
    }

    /** {@return the device as its driver sees it} */
    public DriverInterface driver() {
        return driver;
    }

    /** {@return a copy of the state; the device stands still} */
    public synchronized VirtioPciState state() {
        int[] copy = new int[vectors.length()];
        for (int i = 0; i < copy.length; i++) {
            copy[i] = vectors.get(i);
        }
        int pending;
        synchronized (isrLock) {
            pending = isr;
        }
        return new VirtioPciState(copy, pending, deviceFeatureSelect, driverFeatureSelect, queueSelect, driver.state());
    }

    /**
     * Replaces the state, after that of {@link #function}.
     *
     * @param state the new state
     * @param deviceState what the device itself remembers; null if it wasn't in service
     * @throws IllegalArgumentException when the device can't be in such a state
     */
    public synchronized void setState(VirtioPciState state, @Nullable Record deviceState) {
        if (state.vectors().length != vectors.length()) {
            throw new IllegalArgumentException(
                    "%d interrupt vectors, not %d".formatted(vectors.length(), state.vectors().length));
        }
        for (int i = 0; i < vectors.length(); i++) {
            vectors.set(i, vector(state.vectors()[i]));
        }
        synchronized (isrLock) {
            isr = state.isr() & (ISR_QUEUE | ISR_CONFIG);
            function.setInterrupt(isr != 0);
        }
        deviceFeatureSelect = state.deviceFeatureSelect();
        driverFeatureSelect = state.driverFeatureSelect();
        queueSelect = state.queueSelect() & 0xFFFF;
        driver.setState(state.driver(), deviceState);
    }

    private void resetDevice() {
        driver.reset();
        synchronized (this) {
            deviceFeatureSelect = 0;
            driverFeatureSelect = 0;
            queueSelect = 0;
        }
    }

    @Override
    public void queueInterrupt(int queue) {
        raise(vectors.get(queue), ISR_QUEUE);
    }

    @Override
    public void configInterrupt() {
        raise(vectors.get(vectors.length() - 1), ISR_CONFIG);
    }

    private void raise(int vector, int cause) {
        if (interrupts.isEnabled()) {
            interrupts.trigger(vector);
            return;
        }
        synchronized (isrLock) {
            isr |= cause;
            function.setInterrupt(true);
        }
    }

    @Override
    public void reset() {
        for (int i = 0; i < vectors.length(); i++) {
            vectors.set(i, NO_VECTOR);
        }
        readIsr();
    }

    /** Reading takes the interrupt back (virtio 1.2, 4.1.4.5). */
    private int readIsr() {
        synchronized (isrLock) {
            int value = isr;
            isr = 0;
            function.setInterrupt(false);
            return value;
        }
    }

    private synchronized long readCommon(int offset) {
        return switch (offset) {
            case DEVICE_FEATURE_SELECT -> deviceFeatureSelect;
            case DEVICE_FEATURE -> half(driver.offeredFeatures(), deviceFeatureSelect);
            case DRIVER_FEATURE_SELECT -> driverFeatureSelect;
            case DRIVER_FEATURE -> half(driver.driverFeatures(), driverFeatureSelect);
            case CONFIG_VECTOR -> vectors.get(vectors.length() - 1);
            case QUEUE_COUNT -> driver.queueCount();
            case STATUS -> driver.status();
            case CONFIG_GENERATION -> driver.device().config().generation();
            case QUEUE_SELECT -> queueSelect;
            case QUEUE_SIZE -> driver.queueSize(queueSelect);
            case QUEUE_VECTOR -> queueSelect < driver.queueCount() ? vectors.get(queueSelect) : NO_VECTOR;
            case QUEUE_ENABLE -> driver.isQueueEnabled(queueSelect) ? 1 : 0;
            case QUEUE_NOTIFY_OFFSET -> queueSelect;
            case QUEUE_DESCRIPTORS, QUEUE_DESCRIPTORS + 4 ->
                driver.queueAddress(queueSelect, QueuePart.DESCRIPTORS, offset != QUEUE_DESCRIPTORS);
            case QUEUE_DRIVER, QUEUE_DRIVER + 4 ->
                driver.queueAddress(queueSelect, QueuePart.DRIVER, offset != QUEUE_DRIVER);
            case QUEUE_DEVICE, QUEUE_DEVICE + 4 ->
                driver.queueAddress(queueSelect, QueuePart.DEVICE, offset != QUEUE_DEVICE);
            default -> 0;
        };
    }

    private static int half(long value, int select) {
        return switch (select) {
            case 0 -> (int) value;
            case 1 -> (int) (value >>> 32);
            default -> 0;
        };
    }

    /** Not synchronized as a whole: a reset waits for the device's thread. */
    private void writeCommon(int offset, int value) {
        if (offset == STATUS) {
            driver.setStatus(value & 0xFF);
            return;
        }
        synchronized (this) {
            switch (offset) {
                case DEVICE_FEATURE_SELECT -> deviceFeatureSelect = value;
                case DRIVER_FEATURE_SELECT -> driverFeatureSelect = value;
                case DRIVER_FEATURE -> writeDriverFeatures(value);
                case CONFIG_VECTOR -> vectors.set(vectors.length() - 1, vector(value));
                case QUEUE_SELECT -> queueSelect = value & 0xFFFF;
                case QUEUE_SIZE -> driver.setQueueSize(queueSelect, value & 0xFFFF);
                case QUEUE_VECTOR -> {
                    if (queueSelect < driver.queueCount()) {
                        vectors.set(queueSelect, vector(value));
                    }
                }
                case QUEUE_ENABLE -> {
                    // Disabling needs a reset (virtio 1.2, 4.1.4.3.2).
                    if ((value & 0xFFFF) == 1) {
                        driver.setQueueEnabled(queueSelect, true);
                    }
                }
                case QUEUE_DESCRIPTORS, QUEUE_DESCRIPTORS + 4 ->
                    driver.setQueueAddress(queueSelect, QueuePart.DESCRIPTORS, offset != QUEUE_DESCRIPTORS, value);
                case QUEUE_DRIVER, QUEUE_DRIVER + 4 ->
                    driver.setQueueAddress(queueSelect, QueuePart.DRIVER, offset != QUEUE_DRIVER, value);
                case QUEUE_DEVICE, QUEUE_DEVICE + 4 ->
                    driver.setQueueAddress(queueSelect, QueuePart.DEVICE, offset != QUEUE_DEVICE, value);
                default -> {
                    // Read-only or reserved.
                }
            }
        }
    }

    private void writeDriverFeatures(int value) {
        long features = driver.driverFeatures();
        switch (driverFeatureSelect) {
            case 0 -> driver.setDriverFeatures(features & ~0xFFFF_FFFFL | value & 0xFFFF_FFFFL);
            case 1 -> driver.setDriverFeatures(features & 0xFFFF_FFFFL | (long) value << 32);
            default -> {
                // No such features; drivers write zeros.
            }
        }
    }

    /** A vector that doesn't exist reads back as none (virtio 1.2, 4.1.5.1.2.1). */
    private int vector(int value) {
        int vector = value & 0xFFFF;
        return vector < interrupts.vectors() ? vector : NO_VECTOR;
    }

    /** The window with all registers. Fields are accessed whole; anything else reads as zero and is ignored. */
    private final class Registers implements MmioDevice {
        @Override
        public long read(long offset, int size) {
            int at = (int) offset;
            if (at >= CONFIG_START) {
                return driver.readConfig(at - CONFIG_START, size);
            }
            if (at < COMMON_START + COMMON_SIZE) {
                return readCommon(at);
            }
            return at == ISR_START ? readIsr() : 0;
        }

        @Override
        public void write(long offset, int size, long value) {
            int at = (int) offset;
            if (at >= NOTIFY_START && at < CONFIG_START) {
                driver.notifyQueue((at - NOTIFY_START) / NOTIFY_MULTIPLIER);
            } else if (at >= CONFIG_START && at < CONFIG_START + CONFIG_SIZE) {
                driver.writeConfig(at - CONFIG_START, size, value);
            } else if (at < COMMON_START + COMMON_SIZE) {
                writeCommon(at, (int) value);
            }
        }
    }
}
