package dev.kagami.vm;

/** What kind of thing went wrong; stable between releases, for programs to decide on. */
public enum ErrorCode {
    /** A value of the configuration is out of its range, or something required is missing. */
    INVALID_CONFIGURATION,
    /** A file that the configuration names can't be read, or written. */
    FILE_UNREADABLE,
    /** The kernel is of no known format, damaged, or doesn't fit into the guest's memory. */
    KERNEL_UNUSABLE,
    /** A network could not be set up: a port to forward is taken, for example. */
    NETWORK_UNUSABLE,
    /** A directory can't be shared with the guest. */
    SHARE_UNUSABLE,
    /** A Unix socket can't be made. */
    SOCKET_UNUSABLE,
    /** A disk image is damaged, in use, or of a kind that can't be used. */
    DISK_UNUSABLE,
    /** An image could not be fetched, isn't the one that its digest says, or is none. */
    IMAGE_UNAVAILABLE,
    /** No engine has the name that was asked for. */
    ENGINE_UNKNOWN,
    /** The engine that was asked for, or every engine, can't run on this host. */
    ENGINE_UNAVAILABLE,
    /** The guest has no agent to run commands, doesn't come up with it, or ended under a command. */
    GUEST_AGENT_UNAVAILABLE,
    /** A command in the guest took longer than it was given. */
    COMMAND_TIMED_OUT,
    /** Files could not be copied to or from the guest. */
    COPY_FAILED,
    /** What was waited for did not appear on the guest's console. */
    CONSOLE_TIMED_OUT,
    /** The default guest could not be prepared. */
    DEFAULT_GUEST_UNAVAILABLE,
    /** A name can't be a machine's, or is another machine's already. */
    NAME_UNUSABLE,
    /** No machine of that name runs. */
    MACHINE_UNKNOWN,
    /** A machine's control socket can't be made, doesn't answer, or was asked for something that it doesn't know. */
    CONTROL_FAILED,
    /** A machine of another process isn't in the state that an operation needs. */
    WRONG_STATE,
    /** The host has no room for the guest's memory. */
    HOST_OUT_OF_MEMORY,
    /** A snapshot could not be written: the disk is full, for example. The machine goes on. */
    SNAPSHOT_UNWRITABLE,
    /** The machine has a device whose state can't be saved. */
    SNAPSHOT_UNSUPPORTED,
    /** A file is no snapshot, is damaged, or was written by another version. */
    SNAPSHOT_UNUSABLE,
    /** A snapshot is of a machine with other hardware than it is to be restored on. */
    SNAPSHOT_MISMATCH
}
