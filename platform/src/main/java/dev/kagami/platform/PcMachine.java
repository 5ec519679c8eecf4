package dev.kagami.platform;

import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import dev.kagami.platform.acpi.AcpiTable;
import dev.kagami.platform.acpi.AcpiTables;
import dev.kagami.platform.acpi.PciTables;
import dev.kagami.platform.bus.GatedLine;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.InterruptRouter;
import dev.kagami.platform.bus.PcBus;
import dev.kagami.platform.bus.StatefulDevice;
import dev.kagami.platform.device.AcpiPm;
import dev.kagami.platform.device.CmosRtc;
import dev.kagami.platform.device.DebugExit;
import dev.kagami.platform.device.FwCfg;
import dev.kagami.platform.device.GeneralEvents;
import dev.kagami.platform.device.Hpet;
import dev.kagami.platform.device.IoApic;
import dev.kagami.platform.device.KeyboardController;
import dev.kagami.platform.device.PanicPort;
import dev.kagami.platform.device.Pic8259;
import dev.kagami.platform.device.Pit8254;
import dev.kagami.platform.device.PostCode;
import dev.kagami.platform.device.ResetPorts;
import dev.kagami.platform.device.TestDevice;
import dev.kagami.platform.device.Uart16550;
import dev.kagami.platform.pci.PciHost;
import dev.kagami.platform.pci.PciLayout;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A PC without its processors.
 *
 * <p>Life: make it; make processors on {@link #bus}; {@link #connect} them; {@link #writeTables}, load a kernel with
 * {@link #memoryMap}, run the vCPUs until {@link #takeEvent} has something; {@link #reset} and begin again, or
 * {@link #close}.
 *
 * <p>Thread-safety: the bus, {@link #uart}, {@link #pressPowerButton} and {@link #takeEvent} may be used from any thread;
 * everything else while no vCPU runs.
 */
public final class PcMachine implements AutoCloseable {
    /** End of the RAM that a PC's firmware leaves to the kernel below 640 KiB. */
    private static final long EXTENDED_BIOS_DATA = 0x9_FC00L;

    private static final long FIRST_MEGABYTE = 0x10_0000L;
    private static final int ISA_INTERRUPTS = 16;
    /** The interval timer's interrupt 0 hangs on pin 2 of the I/O APIC, as the MADT says. */
    private static final int TIMER_PIN = 2;

    private static final int GENERATION_SIZE = 16;
    private static final int HPET_COMPARATORS = 3;
    private static final int HPET_FIRST_ROUTE = 20;

    private final PcConfig config;
    private final GuestMemory memory;
    private final MachineListener listener;
    private final PcBus bus = new PcBus();
    private final List<StatefulDevice<?>> devices = new ArrayList<>();
    private final List<byte[]> acpiDevices = new ArrayList<>();
    private final List<AcpiTable> acpiTables = new ArrayList<>();
    private final AtomicReference<@Nullable MachineEvent> event = new AtomicReference<>();
    private final Pic8259 pic;
    private final IoApic ioApic;
    private final InterruptRouter router;
    private final Uart16550 uart;
    private final AcpiPm powerManagement;
    private final GeneralEvents events;
    private final PciHost pci;
    private volatile @Nullable Processors processors;

    /**
     * Puts a machine together and resets it.
     *
     * @param config what it is made of
     * @param memory its RAM, which stays the caller's to close
     * @param timers time for all devices
     * @param listener hears of power-off, reset and debug exit
     * @throws IllegalArgumentException when another device has one of the ports for debug exits
     */
    public PcMachine(PcConfig config, GuestMemory memory, Timers timers, MachineListener listener) {
        this.config = config;
        this.memory = memory;
        this.listener = listener;
        pic = attach(new Pic8259(this::setExternalInterrupt));
        ioApic = attach(new IoApic(this::sendMessage));
        router = new InterruptRouter(IoApic.PINS, this::lineChanged);
        bus.addPorts(Pic8259.MASTER_PORT, 2, 1, pic);
        bus.addPorts(Pic8259.SLAVE_PORT, 2, 1, pic);
        bus.addPorts(Pic8259.EDGE_LEVEL_PORT, 2, 1, pic);
        bus.setInterruptAcknowledge(pic::acknowledge);
        bus.addMmio(IoApic.ADDRESS, IoApic.SIZE, 4, ioApic);
        bus.addEndOfInterruptListener(ioApic::endOfInterrupt);

        GatedLine timerLine = new GatedLine(router.source(0));
        Pit8254 pit = attach(new Pit8254(timers, timerLine));
        bus.addPorts(Pit8254.PORT, 4, 1, pit);
        bus.addPorts(Pit8254.CONTROL_PORT, 1, 1, pit);
        GatedLine clockLine = new GatedLine(router.source(CmosRtc.IRQ));
        CmosRtc clock = attach(new CmosRtc(timers, config.clock(), clockLine, memory.lowSize(), memory.highSize()));
        bus.addPorts(CmosRtc.PORT, 2, 1, clock);
        if (config.hpet()) {
            addHpet(timers, timerLine, clockLine);
        }

        uart = attach(new Uart16550(timers, router.source(Uart16550.COM1_IRQ), config.serialOutput()));
        bus.addPorts(Uart16550.COM1_PORT, Uart16550.PORTS, 1, uart);
        powerManagement =
                attach(new AcpiPm(timers, router.source(AcpiPm.SCI), 32, () -> raise(new MachineEvent.PowerOff())));
        bus.addPorts(AcpiPm.PORT, AcpiPm.PORTS, 4, powerManagement);
        events = attach(new GeneralEvents(router.source(AcpiPm.SCI)));
        bus.addPorts(GeneralEvents.PORT, GeneralEvents.PORTS, 2, events);
        bus.addPorts(PanicPort.PORT, 1, 1, new PanicPort(() -> raise(new MachineEvent.Panic())));
        pci = addPci(addResets());
        bus.addPorts(PostCode.PORT, 1, 1, attach(new PostCode()));
        if (config.testDevice()) {
            List<InterruptLine> lines = new ArrayList<>();
            for (int line = 0; line < router.lines(); line++) {
                lines.add(router.source(line));
            }
            attach(new TestDevice(lines)).attach(bus);
            bus.addPorts(
                    FwCfg.SELECTOR_PORT,
                    FwCfg.PORTS,
                    2,
                    attach(new FwCfg(config.processors(), memory.lowSize() + memory.highSize())));
        }
        config.debugExitPort()
                .ifPresent(port -> bus.addPorts(
                        port, DebugExit.PORTS, 4, new DebugExit(status -> raise(new MachineEvent.DebugExit(status)))));
        reset();
    }

    private void addHpet(Timers timers, GatedLine timerLine, GatedLine clockLine) {
        List<InterruptLine> legacy = List.of(router.source(0), router.source(CmosRtc.IRQ));
        List<List<InterruptLine>> lines = new ArrayList<>();
        for (int comparator = 0; comparator < HPET_COMPARATORS; comparator++) {
            List<InterruptLine> routes = new ArrayList<>();
            for (int line = HPET_FIRST_ROUTE; line < IoApic.PINS; line++) {
                routes.add(router.source(line));
            }
            lines.add(routes);
        }
        Hpet hpet = attach(new Hpet(timers, legacy, lines, replaces -> {
            timerLine.setCut(replaces);
            clockLine.setCut(replaces);
        }));
        bus.addMmio(Hpet.ADDRESS, Hpet.SIZE, 8, hpet);
    }

    private PciHost addPci(ResetPorts resetPorts) {
        PciLayout layout = PciLayout.around(memory);
        describe(PciTables.bridge(layout));
        describe(PciTables.configurationSpace());
        return attach(new PciHost(bus, router, layout, resetPorts));
    }

    private ResetPorts addResets() {
        Runnable resetLine = () -> raise(new MachineEvent.Reset());
        KeyboardController keyboard = attach(new KeyboardController(resetLine));
        bus.addPorts(KeyboardController.DATA_PORT, 1, 1, keyboard);
        bus.addPorts(KeyboardController.COMMAND_PORT, 1, 1, keyboard);
        ResetPorts resetPorts = attach(new ResetPorts(resetLine));
        bus.addPorts(ResetPorts.CONTROL_A_PORT, 1, 1, resetPorts);
        return resetPorts;
    }

    /**
     * Adds a device to what {@link #reset} resets. The caller puts it on the {@link #bus} and on its interrupt lines.
     *
     * @param device the device
     * @param <D> its type
     * @return the device
     */
    public <D extends StatefulDevice<?>> D attach(D device) {
        devices.add(device);
        return device;
    }

    /**
     * Describes an added device to the kernel.
     *
     * @param aml terms for {@code \_SB}, made with {@link dev.kagami.platform.acpi.Aml}
     */
    public void describe(byte[] aml) {
        acpiDevices.add(aml);
    }

    /**
     * Adds a table for an added device.
     *
     * @param table the table
     */
    public void describe(AcpiTable table) {
        acpiTables.add(table);
    }

    /**
     * Wires the processors in.
     *
     * @param processors made on {@link #bus}
     */
    public void connect(Processors processors) {
        this.processors = processors;
    }

    /** {@return what processors are made on} */
    public PcBus bus() {
        return bus;
    }

    /** {@return where devices get interrupt lines from; line 0 is ISA interrupt 0, which ACPI calls line 2} */
    public InterruptRouter interrupts() {
        return router;
    }

    /** {@return the PCI bus} */
    public PciHost pci() {
        return pci;
    }

    /** {@return the serial port COM1} */
    public Uart16550 uart() {
        return uart;
    }

    /** {@return the RAM} */
    public GuestMemory memory() {
        return memory;
    }

    /** Presses the power button. */
    public void pressPowerButton() {
        powerManagement.pressPowerButton();
    }

    /**
     * Delivers a message-signalled interrupt of a device; dropped while there are no processors.
     *
     * @param address message address
     * @param data message data
     */
    public void sendMessage(long address, int data) {
        Processors connected = processors;
        if (connected != null) {
            connected.sendMessage(address, data);
        }
    }

    /** {@return the memory map for a boot loader, by address} */
    public List<MemoryRegion> memoryMap() {
        List<MemoryRegion> map = new ArrayList<>();
        map.add(new MemoryRegion(0, EXTENDED_BIOS_DATA, MemoryRegion.Type.USABLE));
        map.add(new MemoryRegion(
                EXTENDED_BIOS_DATA, GuestMemory.VIDEO_START - EXTENDED_BIOS_DATA, MemoryRegion.Type.RESERVED));
        map.add(new MemoryRegion(AcpiTables.ADDRESS, AcpiTables.AREA, MemoryRegion.Type.RESERVED));
        map.add(new MemoryRegion(FIRST_MEGABYTE, memory.lowSize() - FIRST_MEGABYTE, MemoryRegion.Type.USABLE));
        map.add(new MemoryRegion(
                PciLayout.CONFIGURATION_START, PciLayout.CONFIGURATION_SIZE, MemoryRegion.Type.RESERVED));
        if (memory.highSize() > 0) {
            map.add(new MemoryRegion(GuestMemory.HIGH_START, memory.highSize(), MemoryRegion.Type.USABLE));
        }
        return List.copyOf(map);
    }

    /**
     * Writes the ACPI tables into the firmware area of guest memory.
     *
     * @return guest-physical address of the root pointer
     */
    public long writeTables() {
        AcpiTables tables =
                AcpiTables.build(new AcpiTables.Content(config.processors(), config.hpet(), acpiDevices, acpiTables));
        memory.clear(AcpiTables.ADDRESS, AcpiTables.AREA);
        memory.write(AcpiTables.ADDRESS, tables.image());
        writeGeneration();
        return tables.rsdpAddress();
    }

    private void writeGeneration() {
        byte[] generation = new byte[GENERATION_SIZE];
        new SecureRandom().nextBytes(generation);
        memory.write(AcpiTables.GENERATION_ADDRESS, generation);
    }

    /** Tells the guest that it goes on from a snapshot, so that what it believes to be unique may not be. */
    public void beginGeneration() {
        writeGeneration();
        events.raise(GeneralEvents.GENERATION);
    }

    /**
     * Takes what the guest did to the machine. When something happened, every vCPU has been kicked.
     *
     * @return the first event since the last call, or null
     */
    public @Nullable MachineEvent takeEvent() {
        return event.getAndSet(null);
    }

    /** Takes every device back to its state after power-on, as firmware leaves it. Guest memory stays. */
    public void reset() {
        for (StatefulDevice<?> device : devices) {
            device.reset();
        }
        pic.setLevelTriggered(1 << AcpiPm.SCI);
        event.set(null);
    }

    /**
     * Lists what a snapshot keeps of the machine without its processors, memory, PCI devices, and interrupt controllers.
     *
     * @return the devices, in the order in which their states are to be set
     */
    public List<StatefulDevice<?>> devices() {
        return devices.stream()
                .filter(device -> device != pic && device != ioApic)
                .toList();
    }

    /**
     * Lists the interrupt controllers. Their states are to be set after those of all devices, also on PCI: what devices do to
     * their lines meanwhile is not to count.
     *
     * @return the controllers
     */
    public List<StatefulDevice<?>> interruptControllers() {
        return List.of(pic, ioApic);
    }

    /** Ends the machine's threads, after writing out what the guest has sent. Memory, processors and timers stay. */
    @Override
    public void close() {
        for (StatefulDevice<?> device : devices) {
            device.reset();
        }
        processors = null;
        uart.close();
    }

    private void raise(MachineEvent happened) {
        if (!event.compareAndSet(null, happened)) {
            return;
        }
        listener.machineEvent(happened);
        Processors connected = processors;
        if (connected != null) {
            for (Vcpu vcpu : connected.vcpus()) {
                vcpu.kick();
            }
        }
    }

    private void lineChanged(int line, boolean asserted) {
        if (line < ISA_INTERRUPTS) {
            pic.setLine(line, asserted);
        }
        if (line != TIMER_PIN) {
            ioApic.setPin(line == 0 ? TIMER_PIN : line, asserted);
        }
    }

    private void setExternalInterrupt(boolean asserted) {
        Processors connected = processors;
        if (connected != null) {
            connected.setExternalInterrupt(asserted);
        }
    }
}
