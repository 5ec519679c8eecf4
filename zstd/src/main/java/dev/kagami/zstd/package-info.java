/**
 * Zstandard (RFC 8878) for pieces of memory that are known to be small: clusters of disk images. Own code, because the
 * known Java libraries use sun.misc.Unsafe, about which JDK 25 warns at run time, and make native calls.
 */
package dev.kagami.zstd;
