package dev.kagami.net.tcp;

/** States of a connection (RFC 9293 3.3.2). */
public enum TcpState {
    /** A SYN has come; whether it will be answered isn't decided. */
    HELD,
    /** A SYN was sent. */
    SYN_SENT,
    /** A SYN has come and was answered. */
    SYN_RECEIVED,
    /** Both sides may send. */
    ESTABLISHED,
    /** We have finished. */
    FIN_WAIT_1,
    /** We have finished, and the other side knows. */
    FIN_WAIT_2,
    /** The other side has finished. */
    CLOSE_WAIT,
    /** Both have finished at the same time. */
    CLOSING,
    /** The other side had finished, and now we have. */
    LAST_ACK,
    /** All is done; late segments are still answered. */
    TIME_WAIT,
    /** There is no connection. */
    CLOSED
}
