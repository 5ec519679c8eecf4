/**
 * virtio 1.2: what all devices have in common.
 *
 * <p>A {@link dev.kagami.virtio.VirtioDevice} is a kind of device without a transport and without a driver. A transport
 * (package {@code transport}) shows its {@link dev.kagami.virtio.DriverInterface} to the guest: status, features, queue
 * addresses. When the driver says that it is ready, the device is {@linkplain dev.kagami.virtio.VirtioDevice#activate
 * activated}: it gets a {@link dev.kagami.virtio.DeviceContext} with the negotiated features and its {@link
 * dev.kagami.virtio.Virtqueue}s, and a thread of its own that serves them. A notification by the guest only wakes that
 * thread, so the virtual CPU goes on at once. When the driver resets the device the thread ends before the reset does, and
 * from then on nothing touches guest memory.
 *
 * <p>Everything in guest memory is hostile and may change at any time. Each descriptor is read once, checked, and kept in a
 * {@link dev.kagami.virtio.DescriptorChain} on the host's side; devices work with that copy. What makes no sense throws
 * {@link dev.kagami.virtio.BrokenQueueException}, which ends at the device's thread: the device stops and tells the driver
 * that it needs a reset (virtio 1.2, 2.1.2). No exception reaches the machine.
 *
 * <p>Each device has a package with its {@code XxxDevice} and {@code XxxConfig}. Serving requests allocates nothing.
 */
package dev.kagami.virtio;
