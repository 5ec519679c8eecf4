package dev.kagami.platform.device;

/**
 * State of {@link PostCode}.
 *
 * @param last the code written last
 */
public record PostCodeState(int last) {}
