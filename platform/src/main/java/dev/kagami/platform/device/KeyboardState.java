package dev.kagami.platform.device;

/**
 * State of {@link KeyboardController}.
 *
 * @param commandByte the command byte
 * @param outputPort the output port
 * @param output the output buffer
 * @param outputFull whether the output buffer is full
 * @param lastWasCommand whether the last write was a command
 * @param pending the command that the next data byte belongs to, or 0
 */
public record KeyboardState(
        int commandByte, int outputPort, int output, boolean outputFull, boolean lastWasCommand, int pending) {}
