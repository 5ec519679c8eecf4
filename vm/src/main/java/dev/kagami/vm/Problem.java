package dev.kagami.vm;

/**
 * One thing that is wrong with a configuration.
 *
 * @param code what kind of thing
 * @param path where in the configuration, for example {@code linux.kernel}
 * @param message what is wrong, one sentence for a person
 * @param hint what to do about it
 */
public record Problem(ErrorCode code, String path, String message, String hint) {}
