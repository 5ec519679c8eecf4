/**
 * The qcow2 format, versions 2 and 3, written from its specification (QEMU, docs/interop/qcow2).
 *
 * <p><b>Crash consistency.</b> Whatever part of the writes since the last flush gets lost, in whatever order, the tables on
 * the disk must not contradict one another: at worst clusters are leaked. So table changes stay in memory, data goes to the
 * file at once, and a flush writes in this order, with a force of the file in between:
 *
 * <ol>
 *   <li>reference counts that go up, the contents of new refcount blocks and of a moved refcount table;
 *   <li>refcount table entries, or the header's pointer to a moved table;
 *   <li>L2 entries and L1 entries. New L2 tables were written, without the new entries, when they were allocated;
 *   <li>only then, in memory first, reference counts that go down. Until then a freed cluster can't be taken again.
 * </ol>
 *
 * <p>A flush works on a copy of what was changed when it began, so requests go on while the host forces the file.
 *
 * <p><b>Locks.</b> Readers, and writers of clusters that are allocated and not shared, hold the image's lock shared; who
 * changes a table, allocates or frees holds it exclusively. A cluster never goes away under a reader.
 */
package dev.kagami.block.qcow2;
