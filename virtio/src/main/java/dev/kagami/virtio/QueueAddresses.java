package dev.kagami.virtio;

/**
 * Where a driver has put a queue, as guest-physical addresses.
 *
 * @param descriptors descriptor table
 * @param available available ring (the driver area)
 * @param used used ring (the device area)
 */
record QueueAddresses(long descriptors, long available, long used) {}
