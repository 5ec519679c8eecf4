/** Guest images: the default guest and the archives it is made from. */
@org.jspecify.annotations.NullMarked
module dev.kagami.image {
    requires transitive dev.kagami.agent;
    requires transitive dev.kagami.block;
    requires org.apache.commons.compress;
    requires static org.jspecify;
    requires java.net.http;
    requires org.tukaani.xz;

    exports dev.kagami.image;
}
