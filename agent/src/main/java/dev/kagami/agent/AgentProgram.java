package dev.kagami.agent;

import dev.kagami.agent.Assembler.Condition;
import dev.kagami.agent.Assembler.Memory;
import dev.kagami.agent.Assembler.Register;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The program that runs in guests: a static executable for x86-64 Linux that needs nothing of the guest but
 * {@code /bin/sh}, written here instruction by instruction so that nobody needs a compiler to make it, or to check what is
 * in it.
 *
 * <p>{@code kagami-agent TOKEN-FILE} listens on vsock port {@value Protocol#PORT}, accepts connections from the host only,
 * and forks for each; {@code kagami-agent TOKEN-FILE -} serves one connection on its standard input and output, which is
 * how a console port is used. It ends with 1 when the token can't be read and 2 when the guest has no vsock. What is said
 * on a connection is in {@link Protocol}.
 *
 * <p>As a program for people:
 *
 * <pre>
 *   read the token
 *   for each connection from the host, in a process of its own:
 *     the token must come within ten seconds; reseed the kernel's random numbers; answer hello; read a script,
 *       and before that, if there is to be a terminal, its size
 *     start /bin/sh -c script in a session of its own, with three pipes, or with a terminal
 *     until it has exited: stdin frames -> pipe -> its standard input
 *                          its standard output and error -> pipes -> frames
 *                          the host hangs up: kill it and everything in its process group
 *     send what is left in the pipes, and the exit status
 *     hang up its terminal, or keep its pipes open as long as processes it left behind may write to them
 * </pre>
 */
public final class AgentProgram {
    // System calls (Linux, arch/x86/entry/syscalls/syscall_64.tbl).
    private static final int READ = 0;
    private static final int WRITE = 1;
    private static final int OPEN = 2;
    private static final int CLOSE = 3;
    private static final int POLL = 7;
    private static final int SIGNAL_ACTION = 13;
    private static final int SIGNAL_MASK = 14;
    private static final int DEVICE_CONTROL = 16;
    private static final int DUPLICATE = 32;
    private static final int DUP2 = 33;
    private static final int SLEEP = 35;
    private static final int ALARM = 37;
    private static final int SOCKET = 41;
    private static final int BIND = 49;
    private static final int LISTEN = 50;
    private static final int FORK = 57;
    private static final int EXECUTE = 59;
    private static final int EXIT = 60;
    private static final int WAIT = 61;
    private static final int KILL = 62;
    private static final int FILE_CONTROL = 72;
    private static final int SET_SESSION = 112;
    private static final int ACCEPT = 288;
    private static final int SIGNAL_FD = 289;
    private static final int PIPE = 293;

    private static final int EINTR = -4;
    /** What the end of a terminal is to who reads the other side of it (pty(7)). */
    private static final int EIO = -5;

    private static final int EAGAIN = -11;

    private static final int SIGHUP = 1;
    private static final int SIGINT = 2;
    private static final int SIGQUIT = 3;
    private static final int SIGKILL = 9;
    private static final int SIGPIPE = 13;
    private static final int SIGTERM = 15;
    private static final int SIGCHLD = 17;
    private static final int SIGTSTP = 20;
    private static final int SIGTTOU = 22;
    private static final int DEFAULT_ACTION = 0;
    private static final int IGNORE = 1;
    private static final int BLOCK = 0;
    private static final int SET_MASK = 2;
    /** The size of the kernel's signal set. */
    private static final int SET_SIZE = 8;

    private static final int READ_WRITE = 2;
    private static final int NO_CONTROLLING_TERMINAL = 0x100;
    private static final int CLOSE_ON_EXEC = 0x80000;
    private static final int NON_BLOCKING = 0x800;
    private static final int SET_FLAGS = 4;
    private static final int NO_HANG = 1;

    /** {@code RNDRESEEDCRNG} (include/uapi/linux/random.h). */
    private static final int RESEED = 0x5207;

    // Terminals (ioctl_tty(2)).
    private static final int SET_CONTROLLING_TERMINAL = 0x540E;
    private static final int SET_WINDOW_SIZE = 0x5414;
    private static final int UNLOCK = 0x4004_5431;
    private static final int OPEN_PEER = 0x5441;
    /** As wait(2) tells it: a shell's status for what can't be run. */
    private static final int CANNOT_RUN = 126 << 8;

    private static final String NO_TERMINAL = "kagami-agent: the guest has no terminal to give; is /dev/pts mounted?\n";

    private static final int VSOCK = 40;
    private static final int STREAM = 1;
    private static final int ANY = -1;
    private static final int HOST = 2;
    private static final int BACKLOG = 128;

    private static final int POLLIN = 1;
    private static final int POLLOUT = 4;
    private static final int POLLERR = 8;
    private static final int POLLHUP = 0x10;
    private static final int POLLRDHUP = 0x2000;
    private static final int POLL_ENTRY = 8;

    private static final int PATIENCE_SECONDS = 10;
    private static final int BUFFER = 64 << 10;
    /** More than a pipe can hold, so that what a command wrote before it exited is read in as many pieces. */
    private static final int DRAIN_PIECES = 16;

    // Variables, as distances from rbp. Those of 32 bits are files; -1 means closed.
    private static final Memory ENVIRONMENT = new Memory(Register.RBP, 0);
    /** The command's process, or 0 before it is started and after it has exited. */
    private static final Memory CHILD = ENVIRONMENT.plus(8);
    /** Bytes of standard input that were received and not yet written, and where they start. */
    private static final Memory PENDING = CHILD.plus(8);

    private static final Memory POSITION = PENDING.plus(8);
    /** Bytes of the current stdin frame that are still to be received. */
    private static final Memory FRAME_LEFT = POSITION.plus(8);

    /** Whether the command has a terminal, and its size. */
    private static final Memory TERMINAL = FRAME_LEFT.plus(8);

    private static final Memory WINDOW = TERMINAL.plus(8);
    private static final Memory LISTENER = WINDOW.plus(Protocol.WINDOW_SIZE);
    private static final Memory FROM_HOST = LISTENER.plus(4);
    private static final Memory TO_HOST = FROM_HOST.plus(4);
    private static final Memory INPUT_PIPE = TO_HOST.plus(4);
    private static final Memory INPUT_END = INPUT_PIPE.plus(4);
    private static final Memory OUTPUT_PIPE = INPUT_END.plus(4);
    private static final Memory ERROR_PIPE = OUTPUT_PIPE.plus(8);
    private static final Memory CHILD_EXITS = ERROR_PIPE.plus(8);
    private static final Memory STATUS = CHILD_EXITS.plus(4);
    private static final Memory ACTION = STATUS.plus(8);
    private static final Memory MASK = ACTION.plus(32);
    private static final Memory ADDRESS = MASK.plus(8);
    private static final Memory ADDRESS_SIZE = ADDRESS.plus(16);
    private static final Memory TIME = ADDRESS_SIZE.plus(8);
    private static final Memory ARGUMENTS = TIME.plus(16);
    private static final Memory POLLED = ARGUMENTS.plus(32);
    private static final Memory SIGNAL_INFO = POLLED.plus(5 * POLL_ENTRY);
    private static final Memory TOKEN = SIGNAL_INFO.plus(128);
    private static final Memory GIVEN = TOKEN.plus(Protocol.TOKEN_SIZE);
    private static final Memory HEADER = GIVEN.plus(Protocol.TOKEN_SIZE + Protocol.NONCE_SIZE);
    private static final Memory SCRIPT = HEADER.plus(Protocol.HEADER_SIZE);
    private static final Memory INPUT = SCRIPT.plus(Protocol.MAX_SCRIPT + 8);
    private static final Memory OUTPUT = INPUT.plus(BUFFER);
    private static final int DATA_SIZE = OUTPUT.displacement() + Protocol.HEADER_SIZE + BUFFER;

    private static final Memory HOST_POLLED = POLLED;
    private static final Memory OUTPUT_POLLED = HOST_POLLED.plus(POLL_ENTRY);
    private static final Memory ERROR_POLLED = OUTPUT_POLLED.plus(POLL_ENTRY);
    private static final Memory INPUT_POLLED = ERROR_POLLED.plus(POLL_ENTRY);
    private static final Memory EXIT_POLLED = INPUT_POLLED.plus(POLL_ENTRY);
    private static final int EVENTS = 4;
    private static final int RESULT = 6;

    // The executable (System V ABI, chapters 4 and 5; x86-64 supplement).
    private static final int CODE_ADDRESS = 0x400000;
    private static final int DATA_ADDRESS = 0x600000;
    private static final int ELF_HEADER = 64;
    private static final int PROGRAM_HEADER = 56;
    private static final int PROGRAM_HEADERS = 3;
    private static final int CODE_OFFSET = ELF_HEADER + PROGRAM_HEADERS * PROGRAM_HEADER;
    private static final int PAGE = 4096;
    private static final int LOAD = 1;
    private static final int STACK = 0x6474e551;
    private static final int EXECUTABLE = 1;
    private static final int WRITABLE = 2;
    private static final int READABLE = 4;

    private final Assembler code = new Assembler();

    private AgentProgram() {}

    /** {@return the program: an ELF executable, the same every time} */
    public static byte[] executable() {
        AgentProgram program = new AgentProgram();
        program.start();
        program.listen();
        program.session();
        program.pipes();
        program.terminal();
        program.startCommand();
        program.relay();
        program.fromHost();
        program.toCommand();
        program.exited();
        program.routines();
        byte[] code = program.code.finish();
        ByteBuffer file = ByteBuffer.allocate(CODE_OFFSET + code.length).order(ByteOrder.LITTLE_ENDIAN);
        file.put(new byte[] {0x7F, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        // Executable file for x86-64, version 1; entry, program headers, no section headers.
        file.putShort((short) 2).putShort((short) 62).putInt(1);
        file.putLong(CODE_ADDRESS + CODE_OFFSET).putLong(ELF_HEADER).putLong(0).putInt(0);
        file.putShort((short) ELF_HEADER).putShort((short) PROGRAM_HEADER).putShort((short) PROGRAM_HEADERS);
        file.putShort((short) 64).putShort((short) 0).putShort((short) 0);
        segment(file, LOAD, READABLE | EXECUTABLE, CODE_ADDRESS, file.capacity(), file.capacity());
        segment(file, LOAD, READABLE | WRITABLE, DATA_ADDRESS, 0, DATA_SIZE);
        segment(file, STACK, READABLE | WRITABLE, 0, 0, 0);
        file.put(code);
        return file.array();
    }

    private static void segment(ByteBuffer file, int type, int flags, long address, int inFile, int inMemory) {
        file.putInt(type).putInt(flags).putLong(0).putLong(address).putLong(address);
        file.putLong(inFile).putLong(inMemory).putLong(PAGE);
    }

    /** From the kernel's entry (rsp points to argc) to either way of serving. */
    private void start() {
        code.move(Register.RBP, DATA_ADDRESS);
        code.load(Register.RBX, new Memory(Register.RSP, 0));
        // The environment is behind argc, the arguments and a null.
        code.move(Register.RAX, Register.RBX);
        code.add(Register.RAX, Register.RAX);
        code.add(Register.RAX, Register.RAX);
        code.add(Register.RAX, Register.RAX);
        code.add(Register.RAX, Register.RSP);
        code.add(Register.RAX, 16);
        code.store(ENVIRONMENT, Register.RAX);
        code.compare(Register.RBX, 2);
        code.jump(Condition.LESS, "fail");

        // Files 0 to 2 must be taken, lest a pipe gets such a number.
        code.label("standard files");
        code.address(Register.RDI, "null device");
        code.move(Register.RSI, READ_WRITE);
        code.system(OPEN);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "read token");
        code.compare(Register.RAX, 2);
        code.jump(Condition.LESS_OR_EQUAL, "standard files");
        code.move(Register.RDI, Register.RAX);
        code.system(CLOSE);

        code.label("read token");
        code.load(Register.RDI, new Memory(Register.RSP, 16));
        code.move(Register.RSI, CLOSE_ON_EXEC);
        code.system(OPEN);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "fail");
        code.move(Register.R12, Register.RAX);
        code.move(Register.RDI, Register.RAX);
        code.address(Register.RSI, TOKEN);
        code.move(Register.RDX, Protocol.TOKEN_SIZE);
        code.system(READ);
        code.compare(Register.RAX, Protocol.TOKEN_SIZE);
        code.jump(Condition.NOT_EQUAL, "fail");
        code.move(Register.RDI, Register.R12);
        code.system(CLOSE);

        action(SIGPIPE, IGNORE);
        code.store32(LISTENER, -1);
        code.store32(FROM_HOST, 0);
        code.store32(TO_HOST, 1);
        code.compare(Register.RBX, 2);
        code.jump(Condition.NOT_EQUAL, "session");
    }

    /** Accepts connections for ever, and starts a process for each. */
    private void listen() {
        // Nobody waits for the processes.
        action(SIGCHLD, IGNORE);
        code.move(Register.RDI, VSOCK);
        code.move(Register.RSI, STREAM | CLOSE_ON_EXEC);
        code.move(Register.RDX, 0);
        code.system(SOCKET);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "no vsock");
        code.store32(LISTENER, Register.RAX);
        // struct sockaddr_vm: family, reserved, port, address.
        code.store32(ADDRESS, VSOCK);
        code.store32(ADDRESS.plus(4), Protocol.PORT);
        code.store32(ADDRESS.plus(8), ANY);
        code.load32(Register.RDI, LISTENER);
        code.address(Register.RSI, ADDRESS);
        code.move(Register.RDX, 16);
        code.system(BIND);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "no vsock");
        code.load32(Register.RDI, LISTENER);
        code.move(Register.RSI, BACKLOG);
        code.system(LISTEN);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "no vsock");

        code.label("accept");
        code.store32(ADDRESS_SIZE, 16);
        code.load32(Register.RDI, LISTENER);
        code.address(Register.RSI, ADDRESS);
        code.address(Register.RDX, ADDRESS_SIZE);
        code.move(Register.R10, CLOSE_ON_EXEC);
        code.system(ACCEPT);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "not accepted");
        code.store32(FROM_HOST, Register.RAX);
        code.store32(TO_HOST, Register.RAX);
        // Processes of the guest may connect too, where it has vsock's loopback.
        code.compare32(ADDRESS.plus(8), HOST);
        code.jump(Condition.NOT_EQUAL, "next connection");
        code.system(FORK);
        code.test(Register.RAX);
        code.jump(Condition.EQUAL, "forked");
        code.label("next connection");
        code.load32(Register.RDI, FROM_HOST);
        code.system(CLOSE);
        code.jump("accept");

        code.label("not accepted");
        // Too many open files, for example: that passes, and must not become a busy loop.
        code.store(TIME, 0);
        code.store(TIME.plus(8), 50_000_000);
        code.address(Register.RDI, TIME);
        code.move(Register.RSI, 0);
        code.system(SLEEP);
        code.jump("accept");

        code.label("forked");
        code.load32(Register.RDI, LISTENER);
        code.system(CLOSE);
        code.move(Register.RDI, PATIENCE_SECONDS);
        code.system(ALARM);
    }

    /**
     * Mixes what the host has given into the kernel's random numbers, and has them begin anew (random(4)): those of machines that
     * were made from one snapshot would be the same ones otherwise.
     */
    private void reseed() {
        code.address(Register.RDI, "random device");
        code.move(Register.RSI, READ_WRITE | CLOSE_ON_EXEC);
        code.system(OPEN);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "reseeded");
        code.move(Register.R12, Register.RAX);
        code.move(Register.RDI, Register.R12);
        code.address(Register.RSI, GIVEN);
        code.move(Register.RDX, Protocol.TOKEN_SIZE + Protocol.NONCE_SIZE);
        code.system(WRITE);
        code.move(Register.RDI, Register.R12);
        code.move(Register.RSI, RESEED);
        code.system(DEVICE_CONTROL);
        code.move(Register.RDI, Register.R12);
        code.system(CLOSE);
        code.label("reseeded");
    }

    /** One connection: the token, hello, the script. */
    private void session() {
        code.label("session");
        action(SIGCHLD, DEFAULT_ACTION);
        action(SIGPIPE, IGNORE);
        code.store(CHILD, 0);
        code.address(Register.RSI, GIVEN);
        code.move(Register.RDX, Protocol.TOKEN_SIZE + Protocol.NONCE_SIZE);
        code.call("receive");
        // In a time that doesn't tell how much of it was right.
        code.move(Register.RAX, 0);
        for (int i = 0; i < Protocol.TOKEN_SIZE; i += Long.BYTES) {
            code.load(Register.RCX, TOKEN.plus(i));
            code.xor(Register.RCX, GIVEN.plus(i));
            code.or(Register.RAX, Register.RCX);
        }
        code.test(Register.RAX);
        code.jump(Condition.NOT_EQUAL, "fail");
        reseed();
        code.store32(OUTPUT, Protocol.HELLO);
        code.store32(OUTPUT.plus(4), Protocol.HELLO_SIZE);
        code.store32(OUTPUT.plus(8), Protocol.VERSION);
        code.load(Register.RAX, GIVEN.plus(Protocol.TOKEN_SIZE));
        code.store(OUTPUT.plus(12), Register.RAX);
        code.address(Register.RSI, OUTPUT);
        code.move(Register.RDX, Protocol.HEADER_SIZE + Protocol.HELLO_SIZE);
        code.call("send");

        code.store(TERMINAL, 0);
        code.label("first frames");
        code.address(Register.RSI, HEADER);
        code.move(Register.RDX, Protocol.HEADER_SIZE);
        code.call("receive");
        code.compare32(HEADER, Protocol.SIZE);
        code.jump(Condition.NOT_EQUAL, "no size");
        code.call("receive size");
        code.store(TERMINAL, 1);
        code.jump("first frames");
        code.label("no size");
        code.compare32(HEADER, Protocol.SCRIPT);
        code.jump(Condition.NOT_EQUAL, "fail");
        code.load32(Register.RDX, HEADER.plus(4));
        code.compare(Register.RDX, Protocol.MAX_SCRIPT);
        code.jump(Condition.GREATER, "fail");
        code.address(Register.RAX, SCRIPT);
        code.add(Register.RAX, Register.RDX);
        code.store8(new Memory(Register.RAX, 0), 0);
        code.address(Register.RSI, SCRIPT);
        code.test(Register.RDX);
        code.jump(Condition.EQUAL, "have script");
        code.call("receive");
        code.label("have script");
        code.move(Register.RDI, 0);
        code.system(ALARM);
    }

    /** What the command has for its standard streams, unless that is a terminal. */
    private void pipes() {
        code.compare(TERMINAL, 0);
        code.jump(Condition.NOT_EQUAL, "terminal");
        for (Memory pipe : new Memory[] {INPUT_PIPE, OUTPUT_PIPE, ERROR_PIPE}) {
            code.address(Register.RDI, pipe);
            code.move(Register.RSI, CLOSE_ON_EXEC);
            code.system(PIPE);
            code.test(Register.RAX);
            code.jump(Condition.LESS, "fail");
        }
        code.jump("have streams");
    }

    /** A terminal in place of all three: both ends of it take the variables of the pipes. */
    private void terminal() {
        code.label("terminal");
        code.address(Register.RDI, "terminal device");
        code.move(Register.RSI, READ_WRITE | NO_CONTROLLING_TERMINAL | CLOSE_ON_EXEC);
        code.system(OPEN);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "no terminal");
        code.store32(INPUT_END, Register.RAX);
        // Input and output are closed apart.
        code.move(Register.RDI, Register.RAX);
        code.system(DUPLICATE);
        code.store32(OUTPUT_PIPE, Register.RAX);
        code.store32(ERROR_PIPE, -1);
        code.store32(STATUS, 0);
        code.address(Register.RDX, STATUS);
        control(INPUT_END, UNLOCK);
        code.call("set size");
        code.move(Register.RDX, READ_WRITE | NO_CONTROLLING_TERMINAL | CLOSE_ON_EXEC);
        control(INPUT_END, OPEN_PEER);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "no terminal");
        for (Memory end : new Memory[] {INPUT_PIPE, OUTPUT_PIPE.plus(4), ERROR_PIPE.plus(4)}) {
            code.store32(end, Register.RAX);
        }
        code.label("have streams");
    }

    private void startCommand() {
        code.store(MASK, 1 << (SIGCHLD - 1));
        mask(BLOCK);
        code.move(Register.RDI, -1);
        code.address(Register.RSI, MASK);
        code.move(Register.RDX, SET_SIZE);
        code.move(Register.R10, CLOSE_ON_EXEC | NON_BLOCKING);
        code.system(SIGNAL_FD);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "fail");
        code.store32(CHILD_EXITS, Register.RAX);
        code.system(FORK);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "fail");
        code.jump(Condition.NOT_EQUAL, "started");

        code.system(SET_SESSION);
        duplicate(INPUT_PIPE, 0);
        duplicate(OUTPUT_PIPE.plus(4), 1);
        duplicate(ERROR_PIPE.plus(4), 2);
        // Only a terminal can become the session's.
        code.move(Register.RDX, 0);
        control(INPUT_PIPE, SET_CONTROLLING_TERMINAL);
        // Whoever started the agent may have ignored some: a shell does for what it starts in the background.
        for (int signal : new int[] {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM}) {
            action(signal, DEFAULT_ACTION);
        }
        for (int signal = SIGTSTP; signal <= SIGTTOU; signal++) {
            action(signal, DEFAULT_ACTION);
        }
        code.store(MASK, 0);
        mask(SET_MASK);
        code.address(Register.RDI, "shell");
        code.store(ARGUMENTS, Register.RDI);
        code.address(Register.RAX, "shell's option");
        code.store(ARGUMENTS.plus(8), Register.RAX);
        code.address(Register.RAX, SCRIPT);
        code.store(ARGUMENTS.plus(16), Register.RAX);
        code.store(ARGUMENTS.plus(24), 0);
        code.address(Register.RSI, ARGUMENTS);
        code.load(Register.RDX, ENVIRONMENT);
        code.system(EXECUTE);
        code.move(Register.RDI, 127);
        code.system(EXIT);

        code.label("started");
        code.store(CHILD, Register.RAX);
        close(INPUT_PIPE);
        close(OUTPUT_PIPE.plus(4));
        close(ERROR_PIPE.plus(4));
        setNonBlocking(INPUT_END);
        code.store(PENDING, 0);
        code.store(FRAME_LEFT, 0);
    }

    /** The loop while the command runs. */
    private void relay() {
        code.label("relay");
        pollFor(HOST_POLLED, FROM_HOST, POLLIN | POLLRDHUP);
        pollFor(OUTPUT_POLLED, OUTPUT_PIPE, POLLIN);
        pollFor(ERROR_POLLED, ERROR_PIPE, POLLIN);
        pollFor(INPUT_POLLED, INPUT_END, POLLOUT);
        pollFor(EXIT_POLLED, CHILD_EXITS, POLLIN);
        // Either there is input to be written, or more may be received.
        code.compare(PENDING, 0);
        code.jump(Condition.EQUAL, "nothing pending");
        code.store32(HOST_POLLED.plus(EVENTS), POLLRDHUP);
        code.jump("poll");
        code.label("nothing pending");
        code.store32(INPUT_POLLED, -1);
        code.label("poll");
        code.address(Register.RDI, POLLED);
        code.move(Register.RSI, 5);
        code.move(Register.RDX, -1);
        code.system(POLL);
        code.test(Register.RAX);
        code.jump(Condition.LESS, "relay");

        onEvent(OUTPUT_POLLED, -1, "read output");
        onEvent(ERROR_POLLED, -1, "read error");
        onEvent(INPUT_POLLED, -1, "write input");
        code.test16(HOST_POLLED.plus(RESULT), POLLHUP | POLLERR | POLLRDHUP);
        code.jump(Condition.NOT_EQUAL, "hang up");
        onEvent(HOST_POLLED, POLLIN, "from host");
        code.test16(EXIT_POLLED.plus(RESULT), POLLIN);
        code.jump(Condition.EQUAL, "relay");

        code.load32(Register.RDI, CHILD_EXITS);
        code.address(Register.RSI, SIGNAL_INFO);
        code.move(Register.RDX, 128);
        code.system(READ);
        code.load(Register.RDI, CHILD);
        code.address(Register.RSI, STATUS);
        code.move(Register.RDX, NO_HANG);
        code.move(Register.R10, 0);
        code.system(WAIT);
        code.load(Register.RCX, CHILD);
        code.compare(Register.RAX, Register.RCX);
        code.jump(Condition.EQUAL, "exited");
        code.jump("relay");
    }

    /** Takes bytes of a frame's body, or else the next header. */
    private void fromHost() {
        code.label("from host");
        code.compare(FRAME_LEFT, 0);
        code.jump(Condition.NOT_EQUAL, "body");
        code.address(Register.RSI, HEADER);
        code.move(Register.RDX, Protocol.HEADER_SIZE);
        code.call("receive");
        code.load32(Register.RAX, HEADER.plus(4));
        code.compare32(HEADER, Protocol.SIGNAL);
        code.jump(Condition.EQUAL, "signal");
        code.compare32(HEADER, Protocol.SIZE);
        code.jump(Condition.EQUAL, "new size");
        code.compare32(HEADER, Protocol.STDIN);
        code.jump(Condition.NOT_EQUAL, "hang up");
        code.store(FRAME_LEFT, Register.RAX);
        code.test(Register.RAX);
        code.jump(Condition.EQUAL, "close input");
        code.ret();

        code.label("signal");
        code.move(Register.RSI, Register.RAX);
        code.call("kill");
        code.ret();

        code.label("new size");
        code.call("receive size");
        code.label("set size");
        code.address(Register.RDX, WINDOW);
        control(INPUT_END, SET_WINDOW_SIZE);
        code.ret();

        code.label("body");
        code.load32(Register.RDI, FROM_HOST);
        code.address(Register.RSI, INPUT);
        code.move(Register.RDX, BUFFER);
        code.load(Register.RAX, FRAME_LEFT);
        code.compare(Register.RAX, BUFFER);
        code.jump(Condition.GREATER_OR_EQUAL, "receive body");
        code.move(Register.RDX, Register.RAX);
        code.label("receive body");
        code.system(READ);
        code.compare(Register.RAX, EINTR);
        code.jump(Condition.EQUAL, "receive body");
        code.test(Register.RAX);
        code.jump(Condition.LESS_OR_EQUAL, "hang up");
        code.subtract(FRAME_LEFT, Register.RAX);
        // What a command doesn't want any more is dropped.
        code.compare32(INPUT_END, -1);
        code.jump(Condition.EQUAL, "done");
        code.store(PENDING, Register.RAX);
        code.store(POSITION, 0);
        code.label("done");
        code.ret();
    }

    private void toCommand() {
        code.label("write input");
        code.load32(Register.RDI, INPUT_END);
        code.address(Register.RSI, INPUT);
        code.load(Register.RAX, POSITION);
        code.add(Register.RSI, Register.RAX);
        code.load(Register.RDX, PENDING);
        code.system(WRITE);
        code.compare(Register.RAX, EAGAIN);
        code.jump(Condition.EQUAL, "done");
        code.compare(Register.RAX, EINTR);
        code.jump(Condition.EQUAL, "done");
        code.test(Register.RAX);
        code.jump(Condition.LESS, "refused input");
        code.add(POSITION, Register.RAX);
        code.subtract(PENDING, Register.RAX);
        code.ret();
        code.label("refused input");
        code.store(PENDING, 0);
        code.label("close input");
        close(INPUT_END);
        code.ret();
    }

    /** Sends the rest and the status; then waits as long as others may write to the pipes. */
    private void exited() {
        code.label("exited");
        code.store(CHILD, 0);
        for (Memory pipe : new Memory[] {OUTPUT_PIPE, ERROR_PIPE}) {
            String routine = pipe.equals(OUTPUT_PIPE) ? "read output" : "read error";
            setNonBlocking(pipe);
            code.move(Register.RBX, DRAIN_PIECES);
            code.label("rest for " + routine);
            code.compare32(pipe, -1);
            code.jump(Condition.EQUAL, "no rest for " + routine);
            code.call(routine);
            code.subtract(Register.RBX, 1);
            code.jump(Condition.EQUAL, "no rest for " + routine);
            code.test(Register.RAX);
            code.jump(Condition.GREATER, "rest for " + routine);
            code.label("no rest for " + routine);
        }
        code.label("tell status");
        code.load32(Register.RBX, STATUS);
        code.store32(OUTPUT, Protocol.EXIT);
        code.store32(OUTPUT.plus(4), 4);
        code.store32(OUTPUT.plus(8), Register.RBX);
        code.address(Register.RSI, OUTPUT);
        code.move(Register.RDX, Protocol.HEADER_SIZE + 4);
        code.call("send");
        close(FROM_HOST);
        close(TO_HOST);
        code.compare(TERMINAL, 0);
        code.jump(Condition.NOT_EQUAL, "end");
        // A console port must be free for the next one, so who waits is another process.
        code.system(FORK);
        code.test(Register.RAX);
        code.jump(Condition.NOT_EQUAL, "end");
        code.label("left behind");
        for (Memory pipe : new Memory[] {OUTPUT_PIPE, ERROR_PIPE}) {
            pollFor(pipe.equals(OUTPUT_PIPE) ? HOST_POLLED : OUTPUT_POLLED, pipe, POLLIN);
        }
        code.load32(Register.RAX, OUTPUT_PIPE);
        code.load32(Register.RCX, ERROR_PIPE);
        code.compare(Register.RAX, Register.RCX);
        // They are only equal when both are closed.
        code.jump(Condition.EQUAL, "end");
        code.address(Register.RDI, POLLED);
        code.move(Register.RSI, 2);
        code.move(Register.RDX, -1);
        code.system(POLL);
        for (Memory pipe : new Memory[] {OUTPUT_PIPE, ERROR_PIPE}) {
            String kept = pipe.equals(OUTPUT_PIPE) ? "output kept" : "error kept";
            code.load32(Register.RDI, pipe);
            code.address(Register.RSI, OUTPUT);
            code.move(Register.RDX, BUFFER);
            code.system(READ);
            code.test(Register.RAX);
            code.jump(Condition.NOT_EQUAL, kept);
            close(pipe);
            code.label(kept);
        }
        code.jump("left behind");
    }

    private void routines() {
        readPipe("output", OUTPUT_PIPE, Protocol.STDOUT);
        readPipe("error", ERROR_PIPE, Protocol.STDERR);

        // Sends rdx bytes at rsi.
        code.label("send");
        code.load32(Register.RDI, TO_HOST);
        code.system(WRITE);
        code.compare(Register.RAX, EINTR);
        code.jump(Condition.EQUAL, "send");
        code.test(Register.RAX);
        code.jump(Condition.LESS_OR_EQUAL, "hang up");
        code.add(Register.RSI, Register.RAX);
        code.subtract(Register.RDX, Register.RAX);
        code.jump(Condition.NOT_EQUAL, "send");
        code.ret();

        // Receives rdx bytes, at least one, to rsi.
        code.label("receive");
        code.load32(Register.RDI, FROM_HOST);
        code.system(READ);
        code.compare(Register.RAX, EINTR);
        code.jump(Condition.EQUAL, "receive");
        code.test(Register.RAX);
        code.jump(Condition.LESS_OR_EQUAL, "hang up");
        code.add(Register.RSI, Register.RAX);
        code.subtract(Register.RDX, Register.RAX);
        code.jump(Condition.NOT_EQUAL, "receive");
        code.ret();

        code.label("receive size");
        code.compare32(HEADER.plus(4), Protocol.WINDOW_SIZE);
        code.jump(Condition.NOT_EQUAL, "hang up");
        code.address(Register.RSI, WINDOW);
        code.move(Register.RDX, Protocol.WINDOW_SIZE);
        code.call("receive");
        code.ret();

        // Sends signal rsi to the command's process group, and to its process, which may not have made the group yet.
        code.label("kill");
        code.load(Register.RDI, CHILD);
        code.test(Register.RDI);
        code.jump(Condition.EQUAL, "killed");
        code.negate(Register.RDI);
        code.system(KILL);
        code.test(Register.RAX);
        code.jump(Condition.EQUAL, "killed");
        code.load(Register.RDI, CHILD);
        code.system(KILL);
        code.label("killed");
        code.ret();

        code.label("hang up");
        code.move(Register.RSI, SIGKILL);
        code.call("kill");
        code.label("end");
        code.move(Register.RDI, 0);
        code.system(EXIT);

        code.label("no terminal");
        code.store32(OUTPUT, Protocol.STDERR);
        code.store32(OUTPUT.plus(4), NO_TERMINAL.length());
        code.address(Register.RSI, OUTPUT);
        code.move(Register.RDX, Protocol.HEADER_SIZE);
        code.call("send");
        code.address(Register.RSI, "no terminal's message");
        code.move(Register.RDX, NO_TERMINAL.length());
        code.call("send");
        code.store32(STATUS, CANNOT_RUN);
        code.jump("tell status");

        code.label("fail");
        code.move(Register.RDI, 1);
        code.system(EXIT);

        code.label("no vsock");
        code.move(Register.RDI, 2);
        code.system(EXIT);

        code.text("null device", "/dev/null");
        code.text("random device", "/dev/urandom");
        code.text("terminal device", "/dev/ptmx");
        code.text("no terminal's message", NO_TERMINAL);
        code.text("shell", "/bin/sh");
        code.text("shell's option", "-c");
    }

    /** Reads once from a pipe and sends it; leaves the count in rax, and closes the pipe at its end. */
    private void readPipe(String name, Memory pipe, int frame) {
        code.label("read " + name);
        code.load32(Register.RDI, pipe);
        code.address(Register.RSI, OUTPUT.plus(Protocol.HEADER_SIZE));
        code.move(Register.RDX, BUFFER);
        code.system(READ);
        code.test(Register.RAX);
        code.jump(Condition.GREATER, "send " + name);
        code.jump(Condition.EQUAL, "end of " + name);
        code.compare(Register.RAX, EIO);
        code.jump(Condition.NOT_EQUAL, "done");
        code.label("end of " + name);
        close(pipe);
        code.move(Register.RAX, 0);
        code.ret();
        code.label("send " + name);
        code.push(Register.RAX);
        code.store32(OUTPUT, frame);
        code.store32(OUTPUT.plus(4), Register.RAX);
        code.address(Register.RSI, OUTPUT);
        code.move(Register.RDX, Register.RAX);
        code.add(Register.RDX, Protocol.HEADER_SIZE);
        code.call("send");
        code.pop(Register.RAX);
        code.ret();
    }

    private void action(int signal, int handler) {
        code.store(ACTION, handler);
        code.move(Register.RDI, signal);
        code.address(Register.RSI, ACTION);
        code.move(Register.RDX, 0);
        code.move(Register.R10, SET_SIZE);
        code.system(SIGNAL_ACTION);
    }

    private void mask(int how) {
        code.move(Register.RDI, how);
        code.address(Register.RSI, MASK);
        code.move(Register.RDX, 0);
        code.move(Register.R10, SET_SIZE);
        code.system(SIGNAL_MASK);
    }

    private void duplicate(Memory file, int number) {
        code.load32(Register.RDI, file);
        code.move(Register.RSI, number);
        code.system(DUP2);
    }

    /** Does something to a device; rdx is the argument. */
    private void control(Memory file, int request) {
        code.load32(Register.RDI, file);
        code.move(Register.RSI, request);
        code.system(DEVICE_CONTROL);
    }

    private void close(Memory file) {
        code.load32(Register.RDI, file);
        code.system(CLOSE);
        code.store32(file, -1);
    }

    private void setNonBlocking(Memory file) {
        code.load32(Register.RDI, file);
        code.move(Register.RSI, SET_FLAGS);
        code.move(Register.RDX, NON_BLOCKING);
        code.system(FILE_CONTROL);
    }

    private void pollFor(Memory entry, Memory file, int events) {
        code.load32(Register.RAX, file);
        code.store32(entry, Register.RAX);
        // Clears the result in the same word.
        code.store32(entry.plus(EVENTS), events);
    }

    private void onEvent(Memory entry, int mask, String routine) {
        String none = "no event for " + routine;
        code.test16(entry.plus(RESULT), mask);
        code.jump(Condition.EQUAL, none);
        code.call(routine);
        code.label(none);
    }
}
