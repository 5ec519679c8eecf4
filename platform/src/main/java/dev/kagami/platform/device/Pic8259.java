package dev.kagami.platform.device;

import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;

/**
 * The two cascaded 8259A interrupt controllers of a PC with their edge/level registers (Intel 8259A datasheet,
 * 231468-003; ELCR as in the 82371 PIIX datasheet). Ports 0x20-0x21, 0xA0-0xA1, 0x4D0-0x4D1; every access is one byte.
 */
public final class Pic8259 implements PortDevice, StatefulDevice<PicState> {
    /** Command port of the master. */
    public static final int MASTER_PORT = 0x20;

    /** Command port of the slave. */
    public static final int SLAVE_PORT = 0xA0;

    /** Edge/level register of the master; the slave's follows. */
    public static final int EDGE_LEVEL_PORT = 0x4D0;

    /** The master's input that the slave hangs on. */
    private static final int CASCADE = 2;

    /** A request that is gone when it is acknowledged is answered with this input (datasheet, "Edge and level modes"). */
    private static final int SPURIOUS = 7;

    // Lines 0, 1 and 2 (timer, keyboard, cascade), 8 (clock) and 13 (coprocessor) are always edge-triggered.
    private static final int MASTER_LEVEL_CAPABLE = 0xF8;
    private static final int SLAVE_LEVEL_CAPABLE = 0xDE;

    private final Chip master = new Chip(MASTER_LEVEL_CAPABLE, true);
    private final Chip slave = new Chip(SLAVE_LEVEL_CAPABLE, false);
    private final InterruptLine output;

    /**
     * Makes the pair.
     *
     * @param output the INTR line to the processor
     */
    public Pic8259(InterruptLine output) {
        this.output = output;
    }

    @Override
    public synchronized void reset() {
        master.powerOn();
        slave.powerOn();
        update();
    }

    @Override
    public Class<PicState> stateType() {
        return PicState.class;
    }

    @Override
    public synchronized PicState state() {
        return new PicState(master.state(), slave.state());
    }

    @Override
    public synchronized void setState(PicState state) {
        master.setState(state.master());
        slave.setState(state.slave());
        update();
    }

    /**
     * Sets an input.
     *
     * @param irq 0 to 15; 2 is the cascade and is ignored
     * @param asserted its state
     */
    public synchronized void setLine(int irq, boolean asserted) {
        if (irq == CASCADE) {
            return;
        }
        (irq < 8 ? master : slave).setInput(irq & 7, asserted);
        update();
    }

    /**
     * Sets which inputs are level-triggered, as firmware does before a kernel runs.
     *
     * @param mask one bit an input
     */
    public synchronized void setLevelTriggered(int mask) {
        master.setEdgeLevel(mask & 0xFF);
        slave.setEdgeLevel(mask >> 8 & 0xFF);
        update();
    }

    /**
     * Answers the processor's acknowledge cycle.
     *
     * @return the vector
     */
    public synchronized int acknowledge() {
        int vector;
        int input = master.request();
        if (input < 0) {
            vector = master.vectorBase | SPURIOUS;
        } else {
            master.acknowledge(input);
            vector = master.vectorBase | input;
            if (input == CASCADE) {
                int slaveInput = slave.request();
                if (slaveInput < 0) {
                    slaveInput = SPURIOUS;
                } else {
                    slave.acknowledge(slaveInput);
                }
                vector = slave.vectorBase | slaveInput;
            }
        }
        update();
        return vector;
    }

    @Override
    public synchronized int read(int port, int size) {
        if ((port & ~1) == EDGE_LEVEL_PORT) {
            return chipAt(port << 7).edgeLevel;
        }
        Chip chip = chipAt(port);
        int value = chip.read(port & 1);
        update();
        return value;
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        if ((port & ~1) == EDGE_LEVEL_PORT) {
            chipAt(port << 7).setEdgeLevel(value & 0xFF);
        } else {
            chipAt(port).write(port & 1, value & 0xFF);
        }
        update();
    }

    /** Both the command ports and (shifted) the edge/level ports tell master from slave by bit 7. */
    private Chip chipAt(int port) {
        return (port & 0x80) == 0 ? master : slave;
    }

    private void update() {
        master.setInput(CASCADE, slave.request() >= 0);
        output.set(master.request() >= 0);
    }

    /** One 8259A. */
    private static final class Chip {
        private static final int ICW1 = 0x10;
        private static final int ICW1_NEEDS_ICW4 = 0x01;
        private static final int ICW1_SINGLE = 0x02;
        private static final int ICW4_AUTO_EOI = 0x02;
        private static final int ICW4_SPECIAL_FULLY_NESTED = 0x10;
        private static final int OCW3 = 0x08;
        private static final int OCW3_READ_ISR = 0x01;
        private static final int OCW3_READ = 0x02;
        private static final int OCW3_POLL = 0x04;
        private static final int OCW3_SPECIAL_MASK = 0x20;
        private static final int OCW3_SET_SPECIAL_MASK = 0x40;
        private static final int OCW2_EOI = 0x20;
        private static final int OCW2_SPECIFIC = 0x40;
        private static final int OCW2_ROTATE = 0x80;
        private static final int POLL_PENDING = 0x80;

        private final int levelCapable;
        private final boolean isMaster;

        /** State of the input pins. */
        private int inputs;

        private int requests;
        private int masked;
        private int inService;
        private int edgeLevel;
        private int vectorBase;
        /** The input with the lowest priority; the next one has the highest. */
        private int lowest;
        /** 0 when the chip isn't being initialized, else which initialization word (2 to 4) is expected. */
        private int expected;

        private boolean needsIcw4;
        private boolean single;
        private boolean readInService;
        private boolean poll;
        private boolean specialMask;
        private boolean specialFullyNested;
        private boolean autoEoi;
        private boolean rotateOnAutoEoi;

        Chip(int levelCapable, boolean isMaster) {
            this.levelCapable = levelCapable;
            this.isMaster = isMaster;
            powerOn();
        }

        /** The inputs are wires: what drives them resets them. */
        void powerOn() {
            initialize();
            edgeLevel = 0;
            vectorBase = 0;
            expected = 0;
            needsIcw4 = false;
            single = false;
            // Nothing may come through before the chip has been initialized.
            masked = 0xFF;
        }

        private void initialize() {
            // The edge-sense latch is cleared: an input must go low and high again (datasheet, ICW1).
            requests = inputs & edgeLevel;
            masked = 0;
            inService = 0;
            lowest = 7;
            readInService = false;
            poll = false;
            specialMask = false;
            specialFullyNested = false;
            autoEoi = false;
            rotateOnAutoEoi = false;
        }

        PicState.Chip state() {
            boolean[] flags = {
                needsIcw4, single, readInService, poll, specialMask, specialFullyNested, autoEoi, rotateOnAutoEoi
            };
            int bits = 0;
            for (int i = 0; i < flags.length; i++) {
                bits |= flags[i] ? 1 << i : 0;
            }
            return new PicState.Chip(requests, masked, inService, edgeLevel, vectorBase, lowest, expected, bits);
        }

        void setState(PicState.Chip state) {
            requests = state.requests();
            masked = state.masked();
            inService = state.inService();
            edgeLevel = state.edgeLevel() & levelCapable;
            vectorBase = state.vectorBase();
            lowest = state.lowest();
            expected = state.expected();
            needsIcw4 = (state.flags() & 1) != 0;
            single = (state.flags() & 1 << 1) != 0;
            readInService = (state.flags() & 1 << 2) != 0;
            poll = (state.flags() & 1 << 3) != 0;
            specialMask = (state.flags() & 1 << 4) != 0;
            specialFullyNested = (state.flags() & 1 << 5) != 0;
            autoEoi = (state.flags() & 1 << 6) != 0;
            rotateOnAutoEoi = (state.flags() & 1 << 7) != 0;
        }

        void setInput(int input, boolean asserted) {
            int bit = 1 << input;
            boolean was = (inputs & bit) != 0;
            if (asserted) {
                inputs |= bit;
                if (!was || (edgeLevel & bit) != 0) {
                    requests |= bit;
                }
            } else {
                // A request must stay until it is acknowledged, in edge mode too (datasheet, figure 10).
                inputs &= ~bit;
                requests &= ~bit;
            }
        }

        void setEdgeLevel(int value) {
            edgeLevel = value & levelCapable;
            requests |= inputs & edgeLevel;
        }

        /** {@return the input to be acknowledged next, or -1} */
        int request() {
            int requested = requests & ~masked;
            if (requested == 0) {
                return -1;
            }
            int blocking = inService;
            if (specialMask) {
                blocking &= ~masked;
            }
            for (int i = 1; i <= 8; i++) {
                int input = lowest + i & 7;
                int bit = 1 << input;
                // A more urgent input of the slave may interrupt a less urgent one (datasheet, "Special fully nested").
                boolean nests = specialFullyNested && isMaster && input == CASCADE;
                if ((requested & bit) != 0 && ((blocking & bit) == 0 || nests)) {
                    return input;
                }
                if ((blocking & bit) != 0) {
                    return -1;
                }
            }
            return -1;
        }

        void acknowledge(int input) {
            int bit = 1 << input;
            if ((edgeLevel & bit) == 0) {
                requests &= ~bit;
            }
            if (autoEoi) {
                if (rotateOnAutoEoi) {
                    lowest = input;
                }
            } else {
                inService |= bit;
            }
        }

        int read(int register) {
            if (poll) {
                // The read is the acknowledge (datasheet, "Poll command").
                poll = false;
                int input = request();
                if (input < 0) {
                    return 0;
                }
                acknowledge(input);
                return POLL_PENDING | input;
            }
            if (register == 1) {
                return masked;
            }
            return readInService ? inService : requests;
        }

        void write(int register, int value) {
            if (register == 0) {
                if ((value & ICW1) != 0) {
                    initialize();
                    expected = 2;
                    needsIcw4 = (value & ICW1_NEEDS_ICW4) != 0;
                    single = (value & ICW1_SINGLE) != 0;
                } else if ((value & OCW3) != 0) {
                    writeOcw3(value);
                } else {
                    writeOcw2(value);
                }
                return;
            }
            switch (expected) {
                case 2 -> {
                    vectorBase = value & 0xF8;
                    expected = single ? afterIcw3() : 3;
                }
                case 3 -> expected = afterIcw3();
                case 4 -> {
                    autoEoi = (value & ICW4_AUTO_EOI) != 0;
                    specialFullyNested = (value & ICW4_SPECIAL_FULLY_NESTED) != 0;
                    expected = 0;
                }
                default -> masked = value;
            }
        }

        private int afterIcw3() {
            return needsIcw4 ? 4 : 0;
        }

        private void writeOcw3(int value) {
            if ((value & OCW3_POLL) != 0) {
                poll = true;
            }
            if ((value & OCW3_READ) != 0) {
                readInService = (value & OCW3_READ_ISR) != 0;
            }
            if ((value & OCW3_SET_SPECIAL_MASK) != 0) {
                specialMask = (value & OCW3_SPECIAL_MASK) != 0;
            }
        }

        private void writeOcw2(int value) {
            boolean rotate = (value & OCW2_ROTATE) != 0;
            boolean specific = (value & OCW2_SPECIFIC) != 0;
            int level = value & 7;
            if ((value & OCW2_EOI) == 0) {
                if (!specific) {
                    rotateOnAutoEoi = rotate;
                } else if (rotate) {
                    lowest = level;
                }
                return;
            }
            if (!specific) {
                level = highestInService();
                if (level < 0) {
                    return;
                }
            }
            inService &= ~(1 << level);
            if (rotate) {
                lowest = level;
            }
        }

        private int highestInService() {
            // A masked level isn't cleared by a non-specific EOI in special mask mode (datasheet, "End of interrupt").
            int candidates = specialMask ? inService & ~masked : inService;
            for (int i = 1; i <= 8; i++) {
                int input = lowest + i & 7;
                if ((candidates & 1 << input) != 0) {
                    return input;
                }
            }
            return -1;
        }
    }
}
