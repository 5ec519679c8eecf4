/** Guest images: the default guest and the archives it is made from. */
@org.jspecify.annotations.NullMarked
module dev.kagami.image {
    requires static org.jspecify;
}
