/**
 * Snapshots of machines as files.
 *
 * <p>A file is a header of one page, the sections, and the guest's RAM:
 *
 * <table>
 * <caption>Header, little-endian</caption>
 * <tr><th>offset</th><th>bytes</th><th>what</th></tr>
 * <tr><td>0</td><td>8</td><td>{@code KAGAMI}, 0x1A, 0x0A</td></tr>
 * <tr><td>8</td><td>4</td><td>version of the format; files of a later one are refused</td></tr>
 * <tr><td>12</td><td>4</td><td>CRC-32C of the header, with zeros here</td></tr>
 * <tr><td>16</td><td>4</td><td>length of the sections, which begin at 4096</td></tr>
 * <tr><td>20</td><td>4</td><td>CRC-32C of the sections</td></tr>
 * <tr><td>24</td><td>8</td><td>where RAM begins, a multiple of 64 KiB</td></tr>
 * <tr><td>32</td><td>8</td><td>bytes of RAM</td></tr>
 * <tr><td>40</td><td>8</td><td>length of the file</td></tr>
 * </table>
 *
 * <p>A section is a name, the CRC-32C of its record's {@linkplain dev.kagami.vm.snapshot.RecordCodec#schema schema}, a
 * length and the record's components in order. So a state record is all there is to say about a device's format; a changed
 * record makes older files unreadable, which is noticed and said. A device's section is read whole or the file is refused.
 *
 * <p>RAM lies in the file as it does in memory, so that restoring maps it copy-on-write and reads nothing, and any number of
 * machines share the host's page cache. Pages of zeros are holes. With compression RAM is deflated in chunks instead, and
 * has to be read. Each chunk has a CRC-32C among the sections.
 *
 * <p><b>What is checked, and when.</b> Header, lengths and sections always, before anything is made. RAM too: every page that
 * isn't a hole is read once per opened file, with as many threads as there are processors, at the speed of memory (about 10
 * GB/s a core) when the page cache has it. What was verified once is not verified again for further machines from it.
 *
 * <p>A file is written beside its place, forced to the disk, and renamed: whoever looks finds the old one or the new one.
 */
@org.jspecify.annotations.NullMarked
package dev.kagami.vm.snapshot;
