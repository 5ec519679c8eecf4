package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import dev.kagami.platform.bus.InterruptRouter;
import dev.kagami.platform.bus.PcBus;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.pci.PciHost;
import dev.kagami.platform.pci.PciHostState;
import dev.kagami.platform.pci.PciLayout;
import dev.kagami.virtio.transport.VirtioMmio;
import dev.kagami.virtio.transport.VirtioPci;
import dev.kagami.virtio.transport.VirtioPciState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/** RAM, a bus with PCI, and counters in place of processors: what a driver needs. */
public final class TestMachine implements AutoCloseable {
    /** Bytes of RAM. */
    public static final long RAM = 64L << 20;

    private static final int VECTORS = 256;
    private static final long FIRST_FREE = 1L << 20;
    private static final PortDevice NOBODY = new PortDevice() {
        @Override
        public int read(int port, int size) {
            return -1;
        }

        @Override
        public void write(int port, int size, int value) {}
    };

    private final GuestMemory memory = GuestMemory.allocate(RAM);
    private final PcBus bus = new PcBus();
    private final AtomicIntegerArray messages = new AtomicIntegerArray(VECTORS);
    private final AtomicIntegerArray lines = new AtomicIntegerArray(24);
    private final InterruptRouter router = new InterruptRouter(24, (line, on) -> lines.addAndGet(line, on ? 1 : 0));
    private final PciHost pci = new PciHost(bus, router, PciLayout.around(memory), NOBODY);
    private long free = FIRST_FREE;
    private int mmioDevices;
    private final List<DriverInterface> drivers = new ArrayList<>();
    private final List<VirtioPci> functions = new ArrayList<>();

    public TestMachine() {}

    public GuestMemory memory() {
        return memory;
    }

    public PcBus bus() {
        return bus;
    }

    public PciHost pci() {
        return pci;
    }

    /** Allocates zeroed guest memory, never to be freed. */
    public long allocate(long size, int alignment) {
        long start = Math.ceilDiv(free, alignment) * alignment;
        free = start + size;
        if (free > RAM) {
            throw new IllegalStateException("the test uses too much guest memory");
        }
        memory.clear(start, size);
        return start;
    }

    /** Forgets all allocations. */
    public void freeAll() {
        free = FIRST_FREE;
    }

    /** Puts a device on PCI. */
    public PciTransport addPci(VirtioDevice device) {
        VirtioPci added = new VirtioPci(device, memory, this::message);
        drivers.add(added.driver());
        functions.add(added);
        return new PciTransport(this, pci.add(added.function()));
    }

    /** Puts a device behind memory-mapped registers. */
    public MmioTransport addMmio(VirtioDevice device) {
        long address = VirtioMmio.FIRST_ADDRESS + (long) mmioDevices++ * VirtioMmio.SIZE;
        int line = PciLayout.FIRST_INTERRUPT;
        VirtioMmio added = new VirtioMmio(device, memory, router.source(line));
        drivers.add(added.driver());
        bus.addMmio(address, VirtioMmio.SIZE, 4, added);
        return new MmioTransport(this, address, line);
    }

    /** Does what a snapshot does to all devices on PCI: takes their state, forgets it, and sets it again. */
    public void saveAndRestore() {
        functions.forEach(function -> function.driver().pause());
        List<@Nullable Record> devices = new ArrayList<>();
        List<VirtioPciState> states = new ArrayList<>();
        for (VirtioPci function : functions) {
            devices.add(function.driver().deviceState());
            states.add(function.state());
        }
        PciHostState host = pci.state();
        pci.reset();
        pci.setState(host);
        for (int i = 0; i < functions.size(); i++) {
            functions.get(i).setState(states.get(i), devices.get(i));
        }
        functions.forEach(function -> function.driver().resume());
    }

    /** Does what a snapshot does that is restored on another machine, to a device by its number on PCI: it goes on as another. */
    public void moveDevice(int from, int to) {
        DriverInterface driver = functions.get(from).driver();
        driver.pause();
        DriverInterface other = functions.get(to).driver();
        other.reset();
        other.setState(driver.state(), driver.deviceState());
        other.resume();
    }

    private void message(long address, int data) {
        messages.incrementAndGet(data & 0xFF);
    }

    /** {@return how often a vector has come} */
    public int messages(int vector) {
        return messages.get(vector);
    }

    /** {@return how often a line was asserted} */
    public int assertions(int line) {
        return lines.get(line);
    }

    @Override
    public void close() {
        drivers.forEach(DriverInterface::reset);
        memory.close();
        for (DriverInterface driver : drivers) {
            if (driver.bug() != null) {
                throw new AssertionError(
                        "an exception came out of " + driver.device().name(), driver.bug());
            }
        }
    }
}
