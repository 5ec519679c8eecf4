/** Networks for virtual machines, in process and without privileges: links, switches, capture, NAT. */
@org.jspecify.annotations.NullMarked
module dev.kagami.net {
    requires static org.jspecify;

    exports dev.kagami.net;
    exports dev.kagami.net.nat;
}
