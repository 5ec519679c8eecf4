/** The {@code kagami} command. */
@org.jspecify.annotations.NullMarked
module dev.kagami.cli {
    requires static org.jspecify;
    requires dev.kagami.vm;
}
