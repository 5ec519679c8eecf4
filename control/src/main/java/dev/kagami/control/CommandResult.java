package dev.kagami.control;

/**
 * What became of a command in a guest.
 *
 * @param exitStatus its exit status
 * @param stdout what it printed
 * @param stderr what it printed to standard error
 */
public record CommandResult(int exitStatus, byte[] stdout, byte[] stderr) {}
