/** Virtual machines for JUnit tests. */
@org.jspecify.annotations.NullMarked
module dev.kagami.junit {
    requires static org.jspecify;
    requires transitive dev.kagami.vm;
    requires transitive org.junit.jupiter.api;
    requires org.junit.platform.commons;

    exports dev.kagami.junit;
}
