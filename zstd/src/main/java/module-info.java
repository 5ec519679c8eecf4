/** Zstandard (RFC 8878) in Java: packs and unpacks arrays, and unpacks streams. */
@org.jspecify.annotations.NullMarked
module dev.kagami.zstd {
    requires static org.jspecify;

    exports dev.kagami.zstd;
}
