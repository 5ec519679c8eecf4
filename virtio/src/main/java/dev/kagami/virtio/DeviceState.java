package dev.kagami.virtio;

import java.util.List;

/** Whether a device is in service. Only an active one has queues. */
sealed interface DeviceState {
    /** No driver has said that it is ready. */
    record Inactive() implements DeviceState {}

    /**
     * In service.
     *
     * @param context what the device was given
     * @param queues its queues
     * @param handler who serves them
     * @param thread on which it does
     */
    record Active(DeviceContext context, List<Virtqueue> queues, QueueHandler handler, DeviceThread thread)
            implements DeviceState {}
}
