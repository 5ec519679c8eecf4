package dev.kagami.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Captures, read by hand and, where it is installed, by tshark. */
class PcapngWriterTest {
    private static final int GUEST = 0x0A00020F;
    private static final int GATEWAY = 0x0A000202;

    @TempDir
    Path directory;

    private Path capture() throws IOException {
        Path file = directory.resolve("capture.pcapng");
        var link = new EthernetLink();
        try (PcapngWriter writer = PcapngWriter.create(file)) {
            link.capture(writer, "guest 0");
            byte[] query = Packets.udp4(GUEST, 4000, GATEWAY, 7, "ping".getBytes(StandardCharsets.US_ASCII));
            link.first().send(Packets.frame(link.first(), Packets.ethernet(2, 1, 0x0800, query)));
            byte[] segment = Packets.tcp(80, 4001, 1, 1, 0x18, 500, new byte[4_000]);
            byte[] packet = Packets.ipv4(GATEWAY, GUEST, 6, segment);
            byte[] pseudo =
                    Packets.join(Packets.u32(GATEWAY), Packets.u32(GUEST), Packets.u32(segment.length), Packets.u32(6));
            Frame partial = Packets.frame(link.second(), Packets.ethernet(1, 2, 0x0800, packet));
            partial.buffer().putShort(14 + 20 + 16, (short) Packets.sum(pseudo));
            partial.setPartialChecksum(34, 16);
            partial.setGso(Gso.TCPV4, 1460);
            link.second().send(partial);
            assertThat(writer.failure()).isNull();
        }
        // After the end of the capture, frames still pass.
        assertThat(link.first().send(link.first().allocate(60))).isTrue();
        return file;
    }

    @Test
    void blocksAreAsTheFormatSays() throws IOException {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(capture())).order(ByteOrder.LITTLE_ENDIAN);
        int[] types = new int[4];
        byte[][] frames = new byte[4][];
        for (int i = 0; i < 4; i++) {
            int at = file.position();
            types[i] = file.getInt(at);
            int length = file.getInt(at + 4);
            assertThat(length % 4).isZero();
            assertThat(file.getInt(at + length - 4)).isEqualTo(length);
            if (types[i] == 6) {
                frames[i] = new byte[file.getInt(at + 20)];
                file.get(at + 28, frames[i]);
                long time = (long) file.getInt(at + 12) << 32 | file.getInt(at + 16) & 0xFFFF_FFFFL;
                assertThat(time / 1_000_000_000L)
                        .isBetween(System.currentTimeMillis() / 1000 - 60, System.currentTimeMillis() / 1000);
            }
            file.position(at + length);
        }
        assertThat(file.hasRemaining()).isFalse();
        assertThat(types).containsExactly(0x0A0D0D0A, 1, 6, 6);
        assertThat(Packets.faultOf(frames[2])).isNull();
        assertThat(frames[3]).hasSize(54 + 4_000);
        assertThat(Packets.faultOf(frames[3])).isNull();
    }

    @Test
    void tsharkReadsItAndFindsNothingMalformed() throws Exception {
        Path file = capture();
        String read = Tshark.read(
                file,
                "-o",
                "tcp.check_checksum:TRUE",
                "-o",
                "udp.check_checksum:TRUE",
                "-o",
                "ip.check_checksum:TRUE",
                "-T",
                "fields",
                "-e",
                "frame.interface_name",
                "-e",
                "ip.src",
                "-e",
                "frame.len",
                "-e",
                "_ws.malformed",
                "-e",
                "tcp.checksum.status",
                "-e",
                "udp.checksum.status");
        Assumptions.assumeTrue(read != null, "tshark isn't installed");
        assertThat(read.lines()).containsExactly("guest 0\t10.0.2.15\t46\t\t\t1", "guest 0\t10.0.2.2\t4054\t\t1\t");
    }
}
