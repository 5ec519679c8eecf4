/**
 * Boot protocols: puts a kernel, its initial RAM disk and the data of the protocol into guest memory and says with which
 * registers the boot processor starts. No firmware runs.
 *
 * <p>{@link dev.kagami.boot.BootLoader#load} tells formats apart by content:
 *
 * <table>
 * <caption>Formats and protocols</caption>
 * <tr><th>file</th><th>protocol</th></tr>
 * <tr><td>Linux bzImage with a 64-bit entry point</td><td>Linux 64-bit (Documentation/arch/x86/boot.rst)</td></tr>
 * <tr><td>ELF, or flat file, with a multiboot header</td><td>multiboot 0.6.96, 3.2</td></tr>
 * <tr><td>ELF with the note XEN_ELFNOTE_PHYS32_ENTRY</td><td>PVH (Xen, docs/misc/pvh.pandoc)</td></tr>
 * <tr><td>any other x86-64 ELF</td><td>Linux 64-bit, as for vmlinux</td></tr>
 * </table>
 *
 * <p>The order is deliberate: a multiboot header and a PVH note are the file's own word for how it wants to start, while
 * a bare ELF says nothing and Linux without PVH is the likeliest. {@link dev.kagami.boot.BootProtocol} overrides it.
 *
 * <p>The kernel inside a bzImage is compressed with gzip, xz, LZMA, LZ4 or zstd. Unpacking it on the host takes a
 * fraction of a second where an interpreted guest needs many, so that is what the loader does: the inner vmlinux goes to
 * the addresses it is linked for and is entered at its own 64-bit entry point with the bzImage's setup header in its boot
 * parameters. The kernel runs as it would after its own decompressor, with one difference: address randomization is the
 * decompressor's work, so the kernel is where {@code nokaslr} would put it (and, as loadflags bit 1 is clear, it doesn't
 * randomize its direct map either). {@link dev.kagami.boot.BootSource#unpackOnHost} switches this off. A payload
 * compressed with something else (bzip2, LZO) is left to the guest.
 *
 * <p>Everything in a kernel file is checked before it is used: sizes in a header never size an allocation, every byte
 * goes to RAM that the memory map calls usable, and no two things overlap. What doesn't fit those rules is a
 * {@link dev.kagami.boot.BootException} that names the file, the field and what to do.
 */
package dev.kagami.boot;
