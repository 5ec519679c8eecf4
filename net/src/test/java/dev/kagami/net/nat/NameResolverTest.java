package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.Packets;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Names without a name server, and which name servers a host has. */
class NameResolverTest {
    private static final byte[] LOCALHOST = Packets.hex("096c6f63616c686f737400");

    private static byte[] query(byte[] name, int type) {
        return Packets.join(Packets.hex("abcd 0100 0001 0000 0000 0000"), name, Packets.u16(type), Packets.u16(1));
    }

    @Test
    void anAddressOfTheHostsResolverIsTheAnswer() {
        byte[] query = query(LOCALHOST, 1);
        byte[] answer = NameResolver.answer(query);
        assertThat(Arrays.copyOf(answer, 8)).isEqualTo(Packets.hex("abcd 8180 0001 0001"));
        assertThat(Arrays.copyOfRange(answer, query.length, answer.length))
                .isEqualTo(Packets.hex("c00c 0001 0001 0000001e 0004 7f000001"));
    }

    @Test
    void whatIsNotKnownIsSaidSo() {
        byte[] unknown = NameResolver.answer(query(Packets.hex("036e6f6507696e76616c696400"), 1));
        // Whatever a resolver says about .invalid, there is no address.
        assertThat(ByteBuffer.wrap(unknown).getShort(6)).isZero();
        // The octets of an address aren't a name.
        assertThat(NameResolver.answer(query(Packets.hex("03313237013001300131 00"), 1))[3] & 15)
                .isEqualTo(3);
        byte[] mail = NameResolver.answer(query(LOCALHOST, 15));
        assertThat(mail[3] & 15).isZero();
        assertThat(ByteBuffer.wrap(mail).getShort(6)).isZero();
    }

    @Test
    void rubbishIsNotAnswered() {
        var random = new Random(4);
        byte[] query = query(LOCALHOST, 15);
        for (int i = 0; i < 100_000; i++) {
            byte[] rubbish = Arrays.copyOf(query, random.nextInt(query.length + 10));
            for (int changes = random.nextInt(6); changes > 0 && rubbish.length > 0; changes--) {
                rubbish[random.nextInt(rubbish.length)] = (byte) random.nextInt();
            }
            if (rubbish.length > 27 && rubbish[23] == 0 && (rubbish[25] == 1 || rubbish[25] == 28)) {
                // That would ask the real resolver.
                continue;
            }
            rubbish = rubbish.length > 3 ? rubbish : query;
            rubbish[2] |= (byte) 0x08;
            byte[] answer = NameResolver.answer(rubbish);
            assertThat(answer == null || (answer[3] & 15) == 4).isTrue();
        }
    }

    @Test
    void nameServersAreThoseOfTheResolversConfiguration() throws Exception {
        assertThat(NameServers.parse("""
                        # nameserver 1.1.1.1
                        search example.org
                        nameserver 127.0.0.53
                          nameserver\tfd00::53
                        nameserver ns.example.org
                        nameserver
                        options edns0
                        """))
                .containsExactly(
                        new InetSocketAddress(InetAddress.getByName("127.0.0.53"), 53),
                        new InetSocketAddress(InetAddress.getByName("fd00::53"), 53));
    }
}
