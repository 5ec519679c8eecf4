package dev.kagami.vm;

/**
 * An engine that this installation has.
 *
 * @param name what to choose it by
 * @param description one line about how it works
 * @param available whether it can run on this host
 * @param reason why it can't, and what to do about it; empty when it can
 */
public record EngineInfo(String name, String description, boolean available, String reason) {}
