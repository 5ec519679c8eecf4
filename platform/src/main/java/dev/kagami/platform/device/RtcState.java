package dev.kagami.platform.device;

/**
 * State of {@link CmosRtc}. The clock itself is the host's.
 *
 * @param memory the battery-backed memory
 * @param index the selected register
 * @param registerA register A
 * @param registerB register B
 * @param events the event flags of register C
 * @param offset seconds that the clock is ahead of the host's
 * @param stopped the clock where the guest has stopped it, in seconds since 1970
 * @param seenSecond up to where alarms have been looked for, in seconds since 1970
 */
public record RtcState(
        byte[] memory,
        int index,
        int registerA,
        int registerB,
        int events,
        long offset,
        long stopped,
        long seenSecond) {}
