/** Benchmarks of whole processes, Kagami beside other virtual machine monitors. */
@org.jspecify.annotations.NullMarked
module dev.kagami.bench {
    requires static org.jspecify;
    requires dev.kagami.block;
    requires dev.kagami.image;
    requires dev.kagami.vm;
    requires info.picocli;

    opens dev.kagami.bench to
            info.picocli;
}
