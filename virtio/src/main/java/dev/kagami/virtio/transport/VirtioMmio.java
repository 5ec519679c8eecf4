package dev.kagami.virtio.transport;

import dev.kagami.memory.GuestMemory;
import dev.kagami.platform.acpi.Aml;
import dev.kagami.platform.bus.Device;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.virtio.DriverInterface;
import dev.kagami.virtio.DriverInterface.QueuePart;
import dev.kagami.virtio.InterruptSink;
import dev.kagami.virtio.VirtioDevice;

/**
 * A virtio device behind memory-mapped registers and an interrupt line (virtio 1.2, 4.2), announced to kernels by ACPI.
 * Thread-safe.
 */
public final class VirtioMmio implements MmioDevice, Device {
    /** Bytes of the register window; drivers map whole pages. */
    public static final int SIZE = 0x1000;

    /** Where windows of these devices are by convention, one after the other. */
    public static final long FIRST_ADDRESS = 0xFEB0_0000L;

    private static final int MAGIC = 0x7472_6976;
    private static final int VERSION = 2;
    private static final int VENDOR = 0x4D47_414B;

    private static final int REGISTER_MAGIC = 0x000;
    private static final int REGISTER_VERSION = 0x004;
    private static final int REGISTER_DEVICE = 0x008;
    private static final int REGISTER_VENDOR = 0x00C;
    private static final int DEVICE_FEATURES = 0x010;
    private static final int DEVICE_FEATURES_SELECT = 0x014;
    private static final int DRIVER_FEATURES = 0x020;
    private static final int DRIVER_FEATURES_SELECT = 0x024;
    private static final int QUEUE_SELECT = 0x030;
    private static final int QUEUE_SIZE_MAX = 0x034;
    private static final int QUEUE_SIZE = 0x038;
    private static final int QUEUE_READY = 0x044;
    private static final int QUEUE_NOTIFY = 0x050;
    private static final int INTERRUPT_STATUS = 0x060;
    private static final int INTERRUPT_ACKNOWLEDGE = 0x064;
    private static final int STATUS = 0x070;
    private static final int QUEUE_DESCRIPTORS = 0x080;
    private static final int QUEUE_DRIVER = 0x090;
    private static final int QUEUE_DEVICE = 0x0A0;
    private static final int SHARED_MEMORY_FIRST = 0x0B0;
    private static final int SHARED_MEMORY_LAST = 0x0BC;
    private static final int CONFIG_GENERATION = 0x0FC;
    private static final int CONFIG = 0x100;

    private static final int INTERRUPT_QUEUE = 1;
    private static final int INTERRUPT_CONFIG = 2;

    private final DriverInterface driver;
    private final InterruptLine line;
    private final Object interruptLock = new Object();
    private int interruptStatus;
    private int deviceFeaturesSelect;
    private int driverFeaturesSelect;
    private int queueSelect;

    /**
     * Makes the registers of a device.
     *
     * @param device the device
     * @param memory the guest's RAM
     * @param line the interrupt line
     */
    public VirtioMmio(VirtioDevice device, GuestMemory memory, InterruptLine line) {
        this.driver = new DriverInterface(device, memory, new Interrupts());
        this.line = line;
    }

    /** {@return the device as its driver sees it} */
    public DriverInterface driver() {
        return driver;
    }

    /**
     * Describes a device to kernels.
     *
     * @param number its number among devices of this kind, 0 to 4095
     * @param address where its registers are
     * @param interrupt number of its interrupt line, one of PCI's
     * @return AML for {@code \_SB}
     */
    public static byte[] describe(int number, long address, int interrupt) {
        return Aml.device(
                "V%03X".formatted(number),
                Aml.name("_HID", Aml.string("LNRO0005")),
                Aml.name("_UID", Aml.integer(number)),
                Aml.name("_CCA", Aml.integer(1)),
                Aml.name("_CRS", Aml.resources(Aml.memory(address, SIZE, true), Aml.sharedInterrupt(interrupt))));
    }

    private void raise(int cause) {
        synchronized (interruptLock) {
            interruptStatus |= cause;
            line.set(true);
        }
    }

    private void acknowledge(int causes) {
        synchronized (interruptLock) {
            interruptStatus &= ~causes;
            line.set(interruptStatus != 0);
        }
    }

    @Override
    public void reset() {
        driver.reset();
        synchronized (this) {
            deviceFeaturesSelect = 0;
            driverFeaturesSelect = 0;
            queueSelect = 0;
        }
    }

    @Override
    public long read(long offset, int size) {
        int at = (int) offset;
        if (at >= CONFIG) {
            return driver.readConfig(at - CONFIG, size);
        }
        return size == 4 ? readRegister(at) & 0xFFFF_FFFFL : 0;
    }

    private synchronized int readRegister(int offset) {
        return switch (offset) {
            case REGISTER_MAGIC -> MAGIC;
            case REGISTER_VERSION -> VERSION;
            case REGISTER_DEVICE -> driver.device().type().id();
            case REGISTER_VENDOR -> VENDOR;
            case DEVICE_FEATURES ->
                switch (deviceFeaturesSelect) {
                    case 0 -> (int) driver.offeredFeatures();
                    case 1 -> (int) (driver.offeredFeatures() >>> 32);
                    default -> 0;
                };
            case QUEUE_SIZE_MAX -> driver.maxQueueSize(queueSelect);
            case QUEUE_READY -> driver.isQueueEnabled(queueSelect) ? 1 : 0;
            case INTERRUPT_STATUS -> {
                synchronized (interruptLock) {
                    yield interruptStatus;
                }
            }
            case STATUS -> driver.status();
            case CONFIG_GENERATION -> driver.device().config().generation();
            default ->
                // There is no shared memory: its length and address are all ones.
                offset >= SHARED_MEMORY_FIRST && offset <= SHARED_MEMORY_LAST ? -1 : 0;
        };
    }

    @Override
    public void write(long offset, int size, long value) {
        int at = (int) offset;
        if (at >= CONFIG) {
            driver.writeConfig(at - CONFIG, size, value);
        } else if (size == 4) {
            writeRegister(at, (int) value);
        }
    }

    private void writeRegister(int offset, int value) {
        switch (offset) {
            case QUEUE_NOTIFY -> driver.notifyQueue(value);
            case INTERRUPT_ACKNOWLEDGE -> acknowledge(value);
            // Not while holding the lock: a reset waits for the device's thread.
            case STATUS -> driver.setStatus(value & 0xFF);
            default -> writeSetup(offset, value);
        }
    }

    private synchronized void writeSetup(int offset, int value) {
        switch (offset) {
            case DEVICE_FEATURES_SELECT -> deviceFeaturesSelect = value;
            case DRIVER_FEATURES_SELECT -> driverFeaturesSelect = value;
            case DRIVER_FEATURES -> {
                long features = driver.driverFeatures();
                if (driverFeaturesSelect == 0) {
                    driver.setDriverFeatures(features & ~0xFFFF_FFFFL | value & 0xFFFF_FFFFL);
                } else if (driverFeaturesSelect == 1) {
                    driver.setDriverFeatures(features & 0xFFFF_FFFFL | (long) value << 32);
                }
            }
            case QUEUE_SELECT -> queueSelect = value;
            case QUEUE_SIZE -> driver.setQueueSize(queueSelect, value);
            case QUEUE_READY -> driver.setQueueEnabled(queueSelect, (value & 1) != 0);
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

    private final class Interrupts implements InterruptSink {
        @Override
        public void queueInterrupt(int queue) {
            raise(INTERRUPT_QUEUE);
        }

        @Override
        public void configInterrupt() {
            raise(INTERRUPT_CONFIG);
        }

        @Override
        public void reset() {
            acknowledge(-1);
        }
    }
}
