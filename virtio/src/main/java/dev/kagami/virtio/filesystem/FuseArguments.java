package dev.kagami.virtio.filesystem;

import dev.kagami.virtio.DescriptorChain;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Takes the arguments of a request apart. Used again and again by one thread. */
final class FuseArguments {
    /** More than any request has beside the data of a write: two names or a link's target. */
    private static final int MAX_SIZE = 8 << 10;

    private static final int MAX_NAME = 255;

    private final ByteBuffer in = ByteBuffer.allocate(MAX_SIZE).order(ByteOrder.LITTLE_ENDIAN);

    /** Takes so many bytes of a request, or all that are left. */
    void load(DescriptorChain chain, int size) {
        int length = (int) Math.min(chain.readable(), Math.min(size, MAX_SIZE));
        in.clear();
        chain.read(in.array(), 0, length);
        in.limit(length);
    }

    void loadAll(DescriptorChain chain) {
        if (chain.readable() > MAX_SIZE) {
            throw new FuseException(Errno.ENAMETOOLONG);
        }
        load(chain, MAX_SIZE);
    }

    private void require(int bytes) {
        if (in.remaining() < bytes) {
            throw new FuseException(Errno.EINVAL);
        }
    }

    int takeInt() {
        require(4);
        return in.getInt();
    }

    long takeLong() {
        require(8);
        return in.getLong();
    }

    void skip(int bytes) {
        require(bytes);
        in.position(in.position() + bytes);
    }

    /** {@return a name, without the zero byte at its end} */
    String takeName() {
        String name = takeText();
        if (name.getBytes(StandardCharsets.UTF_8).length > MAX_NAME) {
            throw new FuseException(Errno.ENAMETOOLONG);
        }
        return name;
    }

    /** {@return a text, without the zero byte at its end} */
    String takeText() {
        int start = in.position();
        int end = start;
        while (end < in.limit() && in.get(end) != 0) {
            end++;
        }
        if (end == in.limit()) {
            throw new FuseException(Errno.EINVAL);
        }
        ByteBuffer bytes = in.slice(start, end - start);
        in.position(end + 1);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .decode(bytes)
                    .toString();
        } catch (CharacterCodingException e) {
            throw new FuseException(Errno.EINVAL);
        }
    }
}
