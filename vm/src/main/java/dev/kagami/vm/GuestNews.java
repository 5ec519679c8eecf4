package dev.kagami.vm;

import dev.kagami.vm.snapshot.SavedConfig;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * What a guest that goes on from a snapshot has to be told: how late it is, and that its network cards have other addresses, if
 * it is a copy. Only the guest itself can make use of it, by the agent.
 *
 * @param addresses the addresses that have changed
 */
record GuestNews(List<Address> addresses) {
    /**
     * An Ethernet address that has changed.
     *
     * @param before as the guest knows it
     * @param now as it is to be
     */
    record Address(String before, String now) {}

    /** Copies the list. */
    GuestNews {
        addresses = List.copyOf(addresses);
    }

    /**
     * Compares what a guest knows with what is.
     *
     * @param saved the network cards when the guest was saved
     * @param cards the network cards that it has now
     * @return the news
     */
    static GuestNews of(List<SavedConfig.Network> saved, List<NetworkCard> cards) {
        List<Address> changed = new ArrayList<>();
        for (int i = 0; i < Math.min(saved.size(), cards.size()); i++) {
            // Behind a gateway of its own nobody sees a card, and the guest may find its configuration by the address.
            if (!cards.get(i).isBehindNat()
                    && !saved.get(i).mac().equals(cards.get(i).mac())) {
                changed.add(new Address(saved.get(i).mac(), cards.get(i).mac()));
            }
        }
        return new GuestNews(changed);
    }

    /** {@return a line for the guest's shell, to be run at once; it never sets the clock back} */
    String script() {
        StringBuilder script = new StringBuilder("now=%d; [ $now -gt \"$(date +%%s)\" ] && date -u -s @$now; "
                .formatted(Instant.now().getEpochSecond()));
        for (Address address : addresses) {
            script.append(
                    "for card in /sys/class/net/*; do [ \"$(cat $card/address)\" = %s ]".formatted(address.before()));
            script.append(" && ip link set dev ${card##*/} address %s; done; ".formatted(address.now()));
        }
        return script.append("true").toString();
    }
}
