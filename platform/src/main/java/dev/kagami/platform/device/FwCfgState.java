package dev.kagami.platform.device;

/**
 * State of {@link FwCfg}.
 *
 * @param key the selected item
 * @param position how much of it was read
 */
public record FwCfgState(int key, int position) {}
