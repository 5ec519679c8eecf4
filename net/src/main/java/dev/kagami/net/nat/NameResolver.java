package dev.kagami.net.nat;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Answers queries for addresses (RFC 1035, RFC 3596) through the JDK's resolver, for hosts that don't say which name servers
 * they use. Answers fit any datagram; other types of query get an empty answer.
 */
final class NameResolver implements AutoCloseable {
    private static final int THREADS = 4;
    private static final int QUEUE = 64;
    private static final int HEADER = 12;
    private static final int MAXIMUM_NAME = 253;
    private static final int MAXIMUM_LABEL = 63;
    /** As many as fit a message of 512 octets together with the longest name. */
    private static final int MAXIMUM_ADDRESSES = 7;

    private static final int TYPE_A = 1;
    private static final int TYPE_AAAA = 28;
    private static final int CLASS_IN = 1;
    private static final int TTL_SECONDS = 30;

    private static final int RESPONSE = 0x8000;
    private static final int RECURSION_DESIRED = 0x0100;
    private static final int RECURSION_AVAILABLE = 0x0080;
    private static final int OPCODE = 0x7800;
    private static final int NO_SUCH_NAME = 3;
    private static final int NOT_IMPLEMENTED = 4;
    private static final int POINTER_TO_QUESTION = 0xC00C;

    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(
            THREADS,
            THREADS,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(QUEUE),
            Thread.ofPlatform().daemon().name("kagami-nat-names-", 0).factory());

    NameResolver() {
        threads.allowCoreThreadTimeOut(true);
    }

    /** Answers a query on another thread; a query that makes no sense isn't answered. */
    void resolve(byte[] query, Consumer<byte[]> answer) {
        try {
            threads.execute(() -> {
                byte[] message = answer(query);
                if (message != null) {
                    answer.accept(message);
                }
            });
        } catch (RejectedExecutionException e) {
            // The guest asks again.
        }
    }

    static byte @Nullable [] answer(byte[] query) {
        ByteBuffer buffer = ByteBuffer.wrap(query);
        if (query.length < HEADER + 5) {
            return null;
        }
        int flags = buffer.getShort(2);
        if ((flags & RESPONSE) != 0 || buffer.getShort(4) != 1) {
            return null;
        }
        var name = new StringBuilder();
        int at = HEADER;
        while (query[at] != 0) {
            int length = query[at] & 0xFF;
            if (length > MAXIMUM_LABEL || at + 1 + length + 4 >= query.length) {
                return null;
            }
            name.append(name.isEmpty() ? "" : ".")
                    .append(new String(query, at + 1, length, StandardCharsets.ISO_8859_1));
            at += 1 + length;
            if (name.length() > MAXIMUM_NAME) {
                return null;
            }
        }
        int end = at + 5;
        if (end > query.length) {
            return null;
        }
        int type = buffer.getShort(at + 1) & 0xFFFF;
        int answerFlags = RESPONSE | RECURSION_AVAILABLE | flags & (OPCODE | RECURSION_DESIRED);
        List<InetAddress> addresses = List.of();
        if ((flags & OPCODE) != 0 || buffer.getShort(at + 3) != CLASS_IN) {
            answerFlags |= NOT_IMPLEMENTED;
        } else if (name.isEmpty() || !isName(name)) {
            answerFlags |= NO_SUCH_NAME;
        } else if (type == TYPE_A || type == TYPE_AAAA) {
            try {
                addresses = List.of(InetAddress.getAllByName(name.toString()));
            } catch (UnknownHostException | SecurityException e) {
                answerFlags |= NO_SUCH_NAME;
            }
        }
        return write(buffer, end, answerFlags, type, addresses);
    }

    /** {@return whether the labels are what host names are made of, and not an address's literal} */
    private static boolean isName(CharSequence name) {
        return name.toString().matches("[A-Za-z0-9._-]*[A-Za-z_-][A-Za-z0-9._-]*");
    }

    private static byte[] write(ByteBuffer query, int end, int flags, int type, List<InetAddress> addresses) {
        var data = new ArrayList<byte[]>();
        for (InetAddress address : addresses) {
            if (address instanceof Inet4Address == (type == TYPE_A) && data.size() < MAXIMUM_ADDRESSES) {
                data.add(address.getAddress());
            }
        }
        ByteBuffer answer = ByteBuffer.allocate(end + data.size() * 28);
        answer.put(query.array(), 0, end);
        answer.putShort(2, (short) flags);
        answer.putShort(6, (short) data.size()).putInt(8, 0);
        for (byte[] address : data) {
            answer.putShort((short) POINTER_TO_QUESTION).putShort((short) type).putShort((short) CLASS_IN);
            answer.putInt(TTL_SECONDS).putShort((short) address.length).put(address);
        }
        byte[] message = new byte[answer.position()];
        answer.get(0, message);
        return message;
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
