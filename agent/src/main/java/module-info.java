/** Runs commands in guests: the program inside of the guest, and who talks to it. */
@org.jspecify.annotations.NullMarked
module dev.kagami.agent {
    requires org.apache.commons.compress;
    requires static org.jspecify;

    exports dev.kagami.agent;
}
