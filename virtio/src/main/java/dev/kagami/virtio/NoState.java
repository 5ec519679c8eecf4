package dev.kagami.virtio;

/** State of a device that remembers nothing between two requests. */
public record NoState() {}
