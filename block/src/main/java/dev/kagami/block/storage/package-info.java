/** Where the bytes of an image file are: the host's file, locked and shared within this process. */
package dev.kagami.block.storage;
