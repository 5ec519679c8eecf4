package dev.kagami.cli;

/** What {@code --network} connects a machine to. */
enum NetworkKind {
    /** Nothing. */
    NONE,
    /** The host's network, behind NAT. */
    NAT
}
