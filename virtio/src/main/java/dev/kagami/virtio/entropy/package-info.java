/** The entropy device (virtio 1.2, 5.4). */
package dev.kagami.virtio.entropy;
