package dev.kagami.agent;

/**
 * What host and guest say to each other. One connection is one command:
 *
 * <pre>
 *   host:  the token, 64 bytes, and a nonce, 8 bytes
 *   guest: HELLO version, nonce  or hangs up, when that is not its token
 *   host:  SIZE columns, rows    if the command is to have a terminal
 *   host:  SCRIPT bytes          what /bin/sh -c shall run
 *   host:  STDIN bytes ...       an empty one is the end; or SIGNAL number, or SIZE, at any time
 *   guest: STDOUT bytes, STDERR bytes ...
 *   guest: EXIT status           as wait(2) tells it; then hangs up
 * </pre>
 *
 * <p>The nonce comes back because a console port has no beginning: what one says there may be meant for who was there before. It is
 * random, and has the guest's random numbers begin anew.
 *
 * <p>Everything after the nonce is a frame: type and size, 32 bits each, and size bytes; numbers are little-endian. SIGNAL
 * has the number in place of the size, and no bytes. SIZE has four numbers of 16 bits, as struct winsize: rows, columns, 0, 0. What
 * a command writes to its terminal comes as STDOUT. A host that hangs up earlier has the command killed.
 */
final class Protocol {
    /** The agent's vsock port; binding one below 1024 takes a privileged process. */
    static final int PORT = 1013;

    static final int VERSION = 2;

    /** Hexadecimal digits. */
    static final int TOKEN_SIZE = 64;

    static final int NONCE_SIZE = 8;
    static final int HELLO_SIZE = 4 + NONCE_SIZE;
    static final int HEADER_SIZE = 8;
    static final int WINDOW_SIZE = 8;

    /** Less than MAX_ARG_STRLEN, which is how long an argument of a process can be in Linux. */
    static final int MAX_SCRIPT = 131_000;

    // From the host.
    static final int SCRIPT = 1;
    static final int STDIN = 2;
    static final int SIGNAL = 3;
    static final int SIZE = 4;

    // From the guest.
    static final int HELLO = 16;
    static final int STDOUT = 17;
    static final int STDERR = 18;
    static final int EXIT = 19;

    private Protocol() {}
}
