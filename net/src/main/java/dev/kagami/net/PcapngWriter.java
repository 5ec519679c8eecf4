package dev.kagami.net;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Writes frames into a pcapng file (draft-ietf-opsawg-pcapng), for Wireshark and its kin. Checksums that are partial on a link
 * are complete in the file; segments that are to be cut later are in it as they crossed. Every frame is in the file when
 * the write returns, so the file can be read while it grows. A write that fails ends the capture, not the network.
 * Thread-safe.
 */
public final class PcapngWriter implements AutoCloseable {
    private static final int SECTION_HEADER = 0x0A0D0D0A;
    private static final int BYTE_ORDER_MAGIC = 0x1A2B3C4D;
    private static final int INTERFACE_DESCRIPTION = 1;
    private static final int ENHANCED_PACKET = 6;
    private static final int LINKTYPE_ETHERNET = 1;

    private static final int OPTION_END = 0;
    private static final int OPTION_INTERFACE_NAME = 2;
    private static final int OPTION_TIME_RESOLUTION = 9;
    private static final int OPTION_APPLICATION = 4;
    private static final int OPTION_PACKET_FLAGS = 2;
    private static final int NANOSECONDS = 9;
    private static final int INBOUND = 1;
    private static final int OUTBOUND = 2;

    /** Type, total length twice, interface, time, captured and original length. */
    private static final int PACKET_OVERHEAD = 32;

    private static final int PACKET_OPTIONS = 12;

    private final FileChannel file;
    private final int snapLength;
    private final ByteBuffer block;
    private int interfaces;
    private @Nullable IOException failure;

    private PcapngWriter(FileChannel file, int snapLength) {
        this.file = file;
        this.snapLength = snapLength;
        block = ByteBuffer.allocateDirect(PACKET_OVERHEAD + PACKET_OPTIONS + Frame.MAXIMUM_LENGTH + 16)
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * {@return a capture into that file, which is made or emptied}
     *
     * @throws IOException if the file can't be written
     */
    public static PcapngWriter create(Path path) throws IOException {
        return create(path, Frame.MAXIMUM_LENGTH);
    }

    /**
     * {@return a capture of the first octets of each frame}
     *
     * @param snapLength how many, from 64 to {@link Frame#MAXIMUM_LENGTH}
     * @throws IOException if the file can't be written
     */
    public static PcapngWriter create(Path path, int snapLength) throws IOException {
        if (snapLength < 64 || snapLength > Frame.MAXIMUM_LENGTH) {
            throw new IllegalArgumentException("snap length " + snapLength);
        }
        FileChannel file = FileChannel.open(
                path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
        var writer = new PcapngWriter(file, snapLength);
        synchronized (writer) {
            writer.writeSectionHeader();
        }
        return writer;
    }

    private void writeSectionHeader() {
        begin(SECTION_HEADER);
        block.putInt(BYTE_ORDER_MAGIC);
        block.putShort((short) 1).putShort((short) 0);
        block.putLong(-1);
        option(OPTION_APPLICATION, "Kagami");
        block.putInt(OPTION_END);
        end();
    }

    /** {@return the number of a new interface in the file} */
    synchronized int addInterface(String name) {
        begin(INTERFACE_DESCRIPTION);
        block.putShort((short) LINKTYPE_ETHERNET).putShort((short) 0);
        block.putInt(snapLength);
        option(OPTION_INTERFACE_NAME, name.length() > 256 ? name.substring(0, 256) : name);
        block.putShort((short) OPTION_TIME_RESOLUTION).putShort((short) 1);
        block.put((byte) NANOSECONDS).put((byte) 0).putShort((short) 0);
        block.putInt(OPTION_END);
        end();
        return interfaces++;
    }

    /** Writes a frame. */
    synchronized void write(int id, Frame frame, boolean inbound) {
        if (failure != null || !file.isOpen()) {
            return;
        }
        Instant now = Instant.now();
        long time = now.getEpochSecond() * 1_000_000_000L + now.getNano();
        int captured = Math.min(snapLength, frame.length());
        begin(ENHANCED_PACKET);
        block.putInt(id);
        block.putInt((int) (time >>> 32)).putInt((int) time);
        block.putInt(captured).putInt(frame.length());
        int data = block.position();
        // The whole frame first, as its checksum goes over all of it.
        block.put(data, frame.buffer(), 0, frame.length());
        if (frame.isChecksumPartial()) {
            ByteBuffer view = block.slice(data, frame.length());
            Segmenter.completeChecksum(view, frame.checksumStart(), frame.checksumOffset(), frame.length());
        }
        block.position(data + captured);
        pad();
        block.putShort((short) OPTION_PACKET_FLAGS).putShort((short) 4);
        block.putInt(inbound ? INBOUND : OUTBOUND);
        block.putInt(OPTION_END);
        end();
    }

    private void begin(int type) {
        block.clear();
        block.putInt(type).putInt(0);
    }

    private void option(int code, String text) {
        byte[] octets = text.getBytes(StandardCharsets.UTF_8);
        block.putShort((short) code).putShort((short) octets.length).put(octets);
        pad();
    }

    private void pad() {
        while ((block.position() & 3) != 0) {
            block.put((byte) 0);
        }
    }

    private void end() {
        int length = block.position() + 4;
        block.putInt(length);
        block.putInt(4, length);
        block.flip();
        try {
            while (failure == null && block.hasRemaining()) {
                file.write(block);
            }
        } catch (IOException e) {
            failure = e;
        }
    }

    /** {@return why the capture ended before it was closed; null if it didn't} */
    public synchronized @Nullable IOException failure() {
        return failure;
    }

    /** Ends the capture. Links that still record into it do nothing from now on. */
    @Override
    public synchronized void close() throws IOException {
        file.close();
    }
}
