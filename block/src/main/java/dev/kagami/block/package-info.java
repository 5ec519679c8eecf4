/**
 * Block storage: disk images in files of the host.
 *
 * <p>A {@link dev.kagami.block.BlockImage} is an open image; {@link dev.kagami.block.BlockDevice} is the asynchronous view
 * of one that a device model submits {@link dev.kagami.block.BlockRequest}s to. Nothing here makes a native call.
 *
 * <p>Whatever a file holds, opening and using it ends in data or in a {@link dev.kagami.block.BlockException} with a code,
 * the file's name, and a hint; never in a hang, in memory sized by the file's word, or in a write to another file.
 */
package dev.kagami.block;
