package dev.kagami.platform.device;

/**
 * State of {@link ResetPorts}.
 *
 * @param controlA system control port A
 * @param resetControl the reset control register
 */
public record ResetPortsState(int controlA, int resetControl) {}
