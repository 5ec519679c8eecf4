package dev.kagami.vm;

import dev.kagami.net.MacAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;

/** The Ethernet addresses of a machine's network cards. */
final class CardAddress {
    /** Locally administered, unicast, as virtual machines' usually are; the rest is free. */
    private static final long PREFIX = 0x5254_0000_0000L;

    private static final long FREE_BITS = 0xFFFF_FFFFL;

    private CardAddress() {}

    /**
     * Chooses an address that a card has again whenever the machine is started: guests remember it in the configuration of
     * their networks, on their first disk. (What cloud-init writes for netplan on the first boot names the card by it.)
     * Without a disk nothing is remembered, and the address is random. It is also random where machines may meet that are
     * temporarily on one and the same disk.
     *
     * @param link what the card is connected to
     * @param disks the machine's disks
     * @param card number of the card, from 0
     * @return the address
     */
    static MacAddress of(Network.Link link, List<Disk> disks, int card) {
        boolean shared = !disks.isEmpty() && disks.getFirst().mode() == Disk.Mode.TEMPORARY;
        if (disks.isEmpty() || shared && !(link instanceof Network.Nat)) {
            return MacAddress.random();
        }
        String identity = disks.getFirst().image().toAbsolutePath().normalize() + "\0" + card;
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(identity.getBytes(StandardCharsets.UTF_8));
            return new MacAddress(PREFIX | ByteBuffer.wrap(digest).getInt() & FREE_BITS);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
