/** Makes CD images with a few small files, such as the seed that cloud-init reads. */
package dev.kagami.block.iso;
