/** The {@code kagami} command. */
@org.jspecify.annotations.NullMarked
module dev.kagami.cli {
    requires static org.jspecify;
    requires dev.kagami.control;
    requires dev.kagami.image;
    requires dev.kagami.vm;
    requires info.picocli;
    requires java.management;
    requires jdk.unsupported;

    opens dev.kagami.cli to
            info.picocli;
}
