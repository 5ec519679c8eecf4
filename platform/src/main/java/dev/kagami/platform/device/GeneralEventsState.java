package dev.kagami.platform.device;

/**
 * State of {@link GeneralEvents}.
 *
 * @param status the events that have happened, a bit each
 * @param enable the events that interrupt
 */
public record GeneralEventsState(int status, int enable) {}
