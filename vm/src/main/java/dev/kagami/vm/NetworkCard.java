package dev.kagami.vm;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.MacAddress;
import dev.kagami.net.nat.Nat;
import dev.kagami.net.nat.PortForward;
import dev.kagami.vm.VirtualMachine.State;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.EnumSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A network card of a started machine. Thread-safe. */
public final class NetworkCard {
    private final MacAddress mac;
    private final EthernetLink link;
    private final @Nullable Nat nat;

    NetworkCard(MacAddress mac, EthernetLink link, @Nullable Nat nat) {
        this.mac = mac;
        this.link = link;
        this.nat = nat;
    }

    /** {@return the card's Ethernet address, such as 52:54:00:12:34:56} */
    public String mac() {
        return mac.toString();
    }

    /** {@return whether the cable is plugged in} */
    public boolean isUp() {
        return link.isUp();
    }

    /**
     * Plugs the cable in or out. Out, frames are lost; the guest sees that the link is down.
     *
     * @param up whether it is plugged in
     */
    public void setUp(boolean up) {
        link.setUp(up);
    }

    /** {@return the ports of the host that lead to the guest, each with the port that was chosen where any was asked for} */
    public List<Network.Forward> forwards() {
        return nat == null
                ? List.of()
                : nat.forwards().stream().map(NetworkCard::describe).toList();
    }

    /**
     * Forwards one more port.
     *
     * @param forward from where to where
     * @return the forward, with the port of the host that was chosen where any was asked for
     * @throws KagamiException when the host's port can't be listened on
     * @throws IllegalStateException when the card isn't behind NAT
     * @throws MachineStateException when the machine has ended
     */
    public Network.Forward forward(Network.Forward forward) {
        return describe(Networks.forward(behindNat(), forward));
    }

    /**
     * Ends a forward. Its connections go on.
     *
     * @param forward as {@link #forwards} has it
     * @return whether there was such a forward
     */
    public boolean removeForward(Network.Forward forward) {
        if (nat == null) {
            return false;
        }
        for (PortForward each : nat.forwards()) {
            if (describe(each).equals(forward)) {
                each.close();
                return true;
            }
        }
        return false;
    }

    boolean isBehindNat() {
        return nat != null;
    }

    private Nat behindNat() {
        if (nat == null) {
            throw new IllegalStateException("only a card behind NAT has forwards; this one is connected otherwise");
        }
        if (nat.isClosed()) {
            throw new MachineStateException("forward", State.STOPPED, EnumSet.of(State.RUNNING, State.PAUSED));
        }
        return nat;
    }

    private static Network.Forward describe(PortForward forward) {
        return new Network.Forward(
                switch (forward.protocol()) {
                    case TCP -> Network.Protocol.TCP;
                    case UDP -> Network.Protocol.UDP;
                },
                forward.local(),
                forward.guest().getPort());
    }

    static PortForward open(Nat nat, Network.Forward forward) throws IOException {
        return nat.forward(
                switch (forward.protocol()) {
                    case TCP -> PortForward.Protocol.TCP;
                    case UDP -> PortForward.Protocol.UDP;
                },
                forward.local(),
                new InetSocketAddress(nat.config().firstGuest(), forward.guestPort()));
    }
}
