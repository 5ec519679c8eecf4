package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;

/** The x87 unit's control instructions: control and status word, environment, whole state, FWAIT and EMMS. */
final class X87Control {
    private static final int REGISTER_BYTES = 10;
    private static final int ENVIRONMENT_WORDS = 7;

    private X87Control() {}

    /** FLDCW. */
    static final class LoadControlWord extends MemOp {
        LoadControlWord(Instruction in) {
            super(in, 2, false);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.x87.begin(cpu);
            cpu.x87.loadControl(cpu.readShort(address(cpu)));
        }
    }

    /** FNSTCW and FNSTSW to memory: neither looks at pending exceptions. */
    static final class StoreWord extends MemOp {
        private final boolean status;

        StoreWord(Instruction in, boolean status) {
            super(in, 2, true);
            this.status = status;
        }

        @Override
        void execute(Cpu cpu) {
            X87.requireAvailable(cpu);
            cpu.writeShort(address(cpu), status ? cpu.x87.status : cpu.x87.control);
        }
    }

    /** FNSTSW AX, FNINIT and FNCLEX. */
    static final class Plain extends Op {
        static final int STATUS_TO_AX = 0;
        static final int INITIALIZE = 1;
        static final int CLEAR_EXCEPTIONS = 2;
        /** FNENI, FNDISI and FNSETPM of the 8087 and 80287 do nothing. */
        static final int NOTHING = 3;

        private static final int AFTER_CLEAR = X87.CONDITIONS | X87.TOP;

        private final int action;

        Plain(Instruction in, int action) {
            super(in);
            this.action = action;
        }

        @Override
        void execute(Cpu cpu) {
            X87.requireAvailable(cpu);
            switch (action) {
                case STATUS_TO_AX -> cpu.setReg16(Cpu.RAX, cpu.x87.status);
                case INITIALIZE -> cpu.x87.initialize();
                case CLEAR_EXCEPTIONS -> cpu.x87.status &= AFTER_CLEAR;
                default -> {
                    // Nothing to do.
                }
            }
        }
    }

    /** FWAIT: #NM only if both CR0.MP and CR0.TS are set (SDM 3A 2.5). */
    static final class Wait extends Op {
        Wait(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            long both = Cpu.CR0_MP | Cpu.CR0_TS;
            if ((cpu.cr0 & both) == both) {
                throw cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
            }
            cpu.x87.checkPending(cpu);
        }
    }

    /** EMMS: all registers become empty, and the top is register 0 (SDM 1 table 9-2). */
    static final class EmptyMmx extends Op {
        EmptyMmx(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if ((cpu.cr0 & Cpu.CR0_EM) != 0) {
                throw cpu.undefined();
            }
            X87.requireAvailable(cpu);
            cpu.x87.checkPending(cpu);
            cpu.x87.enterMmx();
            cpu.x87.tag = X87.ALL_EMPTY;
        }
    }

    /** FNSTENV, FLDENV, FNSAVE and FRSTOR, in the four formats of SDM 1 figures 8-9 to 8-12. */
    static final class Environment extends MemOp {
        private static final int ALL_REGISTERS = 8 * REGISTER_BYTES;

        private final boolean store;
        private final boolean registers;
        /** Size of one of the environment's seven words: 2 or 4 bytes. */
        private final int word;

        Environment(Instruction in, boolean store, boolean registers) {
            super(in, ENVIRONMENT_WORDS * wordBytes(in) + (registers ? ALL_REGISTERS : 0), store);
            this.store = store;
            this.registers = registers;
            word = wordBytes(in);
        }

        private static int wordBytes(Instruction in) {
            return in.operandSize == 2 ? 2 : 4;
        }

        @Override
        void execute(Cpu cpu) {
            X87 x87 = cpu.x87;
            int environment = ENVIRONMENT_WORDS * word;
            int bytes = environment + (registers ? ALL_REGISTERS : 0);
            if (store) {
                X87.requireAvailable(cpu);
                long address = address(cpu);
                cpu.mmu.probe(address, bytes, true);
                storeEnvironment(cpu, address);
                if (registers) {
                    storeRegisters(cpu, address + environment);
                    x87.initialize();
                } else {
                    x87.control |= FloatContext.ALL_EXCEPTIONS;
                    x87.updateSummary();
                }
            } else {
                x87.begin(cpu);
                long address = address(cpu);
                cpu.mmu.probe(address, bytes, false);
                loadEnvironment(cpu, address);
                if (registers) {
                    loadRegisters(cpu, address + environment);
                }
            }
        }

        private void storeWord(Cpu cpu, long address, int index, long value) {
            if (word == 2) {
                cpu.writeShort(address + 2 * index, (int) value);
            } else {
                cpu.writeInt(address + 4 * index, (int) value);
            }
        }

        private int loadWord(Cpu cpu, long address, int index) {
            return word == 2 ? cpu.readShort(address + 2 * index) : cpu.readInt(address + 4 * index);
        }

        private static boolean protectedFormat(Cpu cpu) {
            return cpu.protectedMode() && !cpu.virtual8086();
        }

        private void storeEnvironment(Cpu cpu, long address) {
            X87 x87 = cpu.x87;
            // The reserved upper halves of the 32-bit format's words are written as ones.
            int upper = 0xFFFF_0000;
            storeWord(cpu, address, 0, upper | x87.control);
            storeWord(cpu, address, 1, upper | x87.status);
            storeWord(cpu, address, 2, upper | x87.fullTag());
            int ip = (int) x87.instructionPointer;
            int dp = (int) x87.dataPointer;
            if (protectedFormat(cpu)) {
                storeWord(cpu, address, 3, ip);
                storeWord(cpu, address, 4, x87.opcode << 16 | x87.instructionSelector);
                storeWord(cpu, address, 5, dp);
                storeWord(cpu, address, 6, upper | x87.dataSelector);
                return;
            }
            // Real-address formats hold linear addresses.
            ip += x87.instructionSelector << 4;
            dp += x87.dataSelector << 4;
            if (word == 2) {
                storeWord(cpu, address, 3, ip);
                storeWord(cpu, address, 4, ip >>> 4 & 0xF000 | x87.opcode);
                storeWord(cpu, address, 5, dp);
                storeWord(cpu, address, 6, dp >>> 4 & 0xF000);
            } else {
                storeWord(cpu, address, 3, upper | ip & 0xFFFF);
                storeWord(cpu, address, 4, ip >>> 4 & 0x0FFF_F000 | x87.opcode);
                storeWord(cpu, address, 5, upper | dp & 0xFFFF);
                storeWord(cpu, address, 6, dp >>> 4 & 0x0FFF_F000);
            }
        }

        private void loadEnvironment(Cpu cpu, long address) {
            X87 x87 = cpu.x87;
            int control = loadWord(cpu, address, 0);
            x87.status = loadWord(cpu, address, 1) & 0xFFFF;
            x87.tag = loadWord(cpu, address, 2) & 0xFFFF;
            int ip = loadWord(cpu, address, 3);
            int codeAndOpcode = loadWord(cpu, address, 4);
            int dp = loadWord(cpu, address, 5);
            int data = loadWord(cpu, address, 6);
            if (protectedFormat(cpu)) {
                x87.instructionPointer = ip & 0xFFFF_FFFFL;
                x87.instructionSelector = codeAndOpcode & 0xFFFF;
                // The 16-bit format has no opcode.
                x87.opcode = word == 2 ? 0 : codeAndOpcode >>> 16 & 0x7FF;
                x87.dataPointer = dp & 0xFFFF_FFFFL;
                x87.dataSelector = data & 0xFFFF;
            } else {
                int highMask = word == 2 ? 0xF000 : 0x0FFF_F000;
                x87.instructionPointer = ip & 0xFFFF | (codeAndOpcode & highMask) << 4;
                x87.dataPointer = dp & 0xFFFF | (data & highMask) << 4;
                x87.opcode = codeAndOpcode & 0x7FF;
                x87.instructionSelector = 0;
                x87.dataSelector = 0;
            }
            x87.loadControl(control);
        }

        private static void storeRegisters(Cpu cpu, long address) {
            X87 x87 = cpu.x87;
            for (int i = 0; i < 8; i++) {
                cpu.writeLong(address + i * REGISTER_BYTES, x87.significand(i));
                cpu.writeShort(address + i * REGISTER_BYTES + 8, x87.signExponent(i));
            }
        }

        private static void loadRegisters(Cpu cpu, long address) {
            X87 x87 = cpu.x87;
            for (int i = 0; i < 8; i++) {
                int register = x87.physical(i);
                x87.significand[register] = cpu.readLong(address + i * REGISTER_BYTES);
                x87.signExponent[register] = (short) cpu.readShort(address + i * REGISTER_BYTES + 8);
            }
        }
    }
}
