/**
 * What the devices' own code costs: a synthetic driver in place of a guest keeps a queue full, and everything behind it is
 * the real thing, down to the image file or to a socket of the host.
 */
@org.jspecify.annotations.NullMarked
package dev.kagami.bench.devices;
