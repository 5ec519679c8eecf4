/** Byte streams between a device's thread and the threads of the host program. Not exported. */
package dev.kagami.virtio.stream;
