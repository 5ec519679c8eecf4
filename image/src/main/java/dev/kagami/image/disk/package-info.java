/** Disks, their partition tables and what lies on the partitions. */
package dev.kagami.image.disk;
