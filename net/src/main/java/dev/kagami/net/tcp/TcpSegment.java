package dev.kagami.net.tcp;

import dev.kagami.net.packet.Wire;
import java.nio.ByteBuffer;

/** A received segment, taken apart. One object is used again for every segment. */
public final class TcpSegment {
    private static final int OPTION_END = 0;
    private static final int OPTION_NOP = 1;
    private static final int OPTION_MSS = 2;
    private static final int OPTION_WINDOW_SCALE = 3;
    private static final int OPTION_SACK_PERMITTED = 4;
    private static final int OPTION_SACK = 5;
    /** RFC 7323 2.3. */
    private static final int MAXIMUM_SCALE = 14;

    private static final int MAXIMUM_BLOCKS = 4;

    int sequence;
    int acknowledgment;
    int flags;
    int window;
    int dataOffset;
    int dataLength;

    int maximumSegmentSize;
    int windowScale;
    boolean sackPermitted;
    int blocks;
    final int[] blockStarts = new int[MAXIMUM_BLOCKS];
    final int[] blockEnds = new int[MAXIMUM_BLOCKS];

    /** Makes an object to parse into. */
    public TcpSegment() {}

    /**
     * Takes a segment apart.
     *
     * @return false if the lengths in it aren't possible
     */
    public boolean parse(ByteBuffer buffer, int offset, int length) {
        if (length < Wire.TCP_HEADER) {
            return false;
        }
        int header = (buffer.get(offset + Wire.TCP_DATA_OFFSET) & 0xF0) >> 2;
        if (header < Wire.TCP_HEADER || header > length) {
            return false;
        }
        sequence = buffer.getInt(offset + Wire.TCP_SEQUENCE);
        acknowledgment = buffer.getInt(offset + Wire.TCP_ACKNOWLEDGMENT);
        flags = buffer.get(offset + Wire.TCP_FLAGS) & 0xFF;
        window = buffer.getShort(offset + Wire.TCP_WINDOW) & 0xFFFF;
        dataOffset = offset + header;
        dataLength = length - header;
        maximumSegmentSize = 0;
        windowScale = -1;
        sackPermitted = false;
        blocks = 0;
        if (header > Wire.TCP_HEADER) {
            parseOptions(buffer, offset + Wire.TCP_HEADER, offset + header);
        }
        return true;
    }

    private void parseOptions(ByteBuffer buffer, int start, int end) {
        int at = start;
        while (at < end) {
            int kind = buffer.get(at) & 0xFF;
            if (kind == OPTION_END) {
                return;
            }
            if (kind == OPTION_NOP) {
                at++;
                continue;
            }
            if (at + 1 >= end) {
                return;
            }
            int length = buffer.get(at + 1) & 0xFF;
            if (length < 2 || at + length > end) {
                return;
            }
            switch (kind) {
                case OPTION_MSS -> {
                    if (length == 4) {
                        maximumSegmentSize = buffer.getShort(at + 2) & 0xFFFF;
                    }
                }
                case OPTION_WINDOW_SCALE -> {
                    if (length == 3) {
                        windowScale = Math.min(MAXIMUM_SCALE, buffer.get(at + 2) & 0xFF);
                    }
                }
                case OPTION_SACK_PERMITTED -> sackPermitted = length == 2;
                case OPTION_SACK -> {
                    for (int block = at + 2; block + 8 <= at + length && blocks < MAXIMUM_BLOCKS; block += 8) {
                        blockStarts[blocks] = buffer.getInt(block);
                        blockEnds[blocks++] = buffer.getInt(block + 4);
                    }
                }
                default -> {
                    // Whatever it is, it wasn't agreed on.
                }
            }
            at += length;
        }
    }

    /** {@return whether it has all of those flags} */
    public boolean has(int mask) {
        return (flags & mask) == mask;
    }

    /** {@return whether it begins a connection: SYN without ACK or RST} */
    public boolean opens() {
        return (flags & (Wire.SYN | Wire.ACK | Wire.RST)) == Wire.SYN;
    }

    /** {@return the sequence number} */
    public int sequence() {
        return sequence;
    }

    /** {@return the acknowledgment number} */
    public int acknowledgment() {
        return acknowledgment;
    }

    /** {@return how many sequence numbers it takes} */
    public int sequenceLength() {
        return dataLength + (has(Wire.SYN) ? 1 : 0) + (has(Wire.FIN) ? 1 : 0);
    }
}
