/**
 * The block device (virtio 1.2, 5.2): a disk over a {@link dev.kagami.block.BlockDevice}.
 *
 * <p>Data goes straight between guest memory and the image. Whether a request blocks the device's thread is up to the
 * block device below: {@link dev.kagami.block.BlockDevice#synchronous} does it there, which is fastest while the host's
 * page cache holds the data; {@link dev.kagami.block.BlockDevice#threaded} has several under way.
 */
package dev.kagami.virtio.disk;
