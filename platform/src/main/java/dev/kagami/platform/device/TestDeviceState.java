package dev.kagami.platform.device;

/**
 * State of {@link TestDevice}.
 *
 * @param latch the latch
 * @param memory the memory behind MMIO
 * @param lines the interrupt lines that are asserted, a bit each
 */
public record TestDeviceState(int latch, byte[] memory, long lines) {}
