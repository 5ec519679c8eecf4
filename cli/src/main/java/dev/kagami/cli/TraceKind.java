package dev.kagami.cli;

/** What {@code --trace} can be asked for. */
enum TraceKind {
    /** Every executed instruction. */
    EXEC,
    /** Every port and memory-mapped access. */
    EXITS
}
