package dev.kagami.virtio.transport;

import dev.kagami.virtio.DriverState;

/**
 * State of a {@link VirtioPci}, besides what is in PCI configuration space.
 *
 * @param vectors the interrupt vector of each queue, and last that of configuration changes
 * @param isr the interrupt status register
 * @param deviceFeatureSelect which half of the offered features is read
 * @param driverFeatureSelect which half of the driver's features is accessed
 * @param queueSelect which queue is accessed
 * @param driver what the driver has set up
 */
public record VirtioPciState(
        int[] vectors,
        int isr,
        int deviceFeatureSelect,
        int driverFeatureSelect,
        int queueSelect,
        DriverState driver) {}
