package dev.kagami.virtio.filesystem;

import dev.kagami.memory.GuestMemory;
import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.SyntheticDriver;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Sends FUSE requests as Linux's virtiofs does: header and arguments, then room for header and answer. */
final class FuseClient {
    private static final int ROOM = 70_000;

    private final SyntheticDriver driver;
    private final GuestMemory memory;
    private final long in;
    private final long out;
    private final ByteBuffer request = ByteBuffer.allocate(ROOM).order(ByteOrder.LITTLE_ENDIAN);
    private long unique = 1;
    private ByteBuffer answer = ByteBuffer.allocate(0);

    FuseClient(SyntheticDriver driver) {
        this.driver = driver;
        this.memory = driver.machine().memory();
        this.in = driver.machine().allocate(ROOM, 4096);
        this.out = driver.machine().allocate(ROOM, 4096);
    }

    FuseClient begin(int opcode, long node) {
        request.clear();
        request.putInt(0).putInt(opcode).putLong(unique++).putLong(node);
        request.putInt(0).putInt(0).putInt(1).putInt(0);
        return this;
    }

    FuseClient putInt(int... values) {
        for (int value : values) {
            request.putInt(value);
        }
        return this;
    }

    FuseClient putLong(long... values) {
        for (long value : values) {
            request.putLong(value);
        }
        return this;
    }

    FuseClient putName(String name) {
        return putBytes(name.getBytes(StandardCharsets.UTF_8)).putBytes(new byte[1]);
    }

    FuseClient putBytes(byte[] bytes) {
        request.put(bytes);
        return this;
    }

    /** {@return the error number of the answer, 0 for success} */
    int send() {
        int length = request.position();
        request.putInt(0, length);
        memory.write(in, request.array(), 0, length);
        DriverQueue queue = driver.queue(1);
        queue.begin().out(in, 40);
        if (length > 40) {
            queue.out(in + 40, length - 40);
        }
        queue.in(out, 16).in(out + 16, ROOM - 16).add();
        queue.kick();
        queue.await();
        int size = memory.readInt(out);
        if (size != queue.lastLength() || memory.readLong(out + 8) != unique - 1) {
            throw new AssertionError("an answer of %d bytes in %d".formatted(size, queue.lastLength()));
        }
        byte[] body = new byte[size - 16];
        memory.read(out + 16, body, 0, body.length);
        answer = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
        return -memory.readInt(out + 4);
    }

    /** Sends a request that has no answer. */
    void tell() {
        int length = request.position();
        request.putInt(0, length);
        memory.write(in, request.array(), 0, length);
        driver.queue(0).begin().out(in, length).add();
        driver.queue(0).kick();
        driver.queue(0).await();
    }

    ByteBuffer answer() {
        return answer;
    }

    String text() {
        return new String(answer.array(), StandardCharsets.UTF_8);
    }

    private void require(int errno) {
        if (errno != 0) {
            throw new AssertionError("errno " + errno);
        }
    }

    void initialize() {
        require(begin(26, 0).putInt(7, 38, 0x20000, -1).putBytes(new byte[48]).send());
    }

    int lookUp(long parent, String name) {
        return begin(1, parent).putName(name).send();
    }

    /** {@return the number of a file that exists} */
    long find(long parent, String name) {
        require(lookUp(parent, name));
        return answer.getLong(0);
    }

    int getAttributes(long node) {
        return begin(3, node).putInt(0, 0).putLong(0).send();
    }

    int open(long node, int flags) {
        return begin(14, node).putInt(flags, 0).send();
    }

    long opened(long node, int flags) {
        require(open(node, flags));
        return answer.getLong(0);
    }

    int create(long parent, String name, int flags, int mode) {
        return begin(35, parent).putInt(flags, mode, 022, 0).putName(name).send();
    }

    int read(long handle, long offset, int size) {
        return begin(15, 0)
                .putLong(handle, offset)
                .putInt(size, 0)
                .putLong(0)
                .putInt(0, 0)
                .send();
    }

    int write(long handle, long offset, byte[] data) {
        return begin(16, 0)
                .putLong(handle, offset)
                .putInt(data.length, 0)
                .putLong(0)
                .putInt(0, 0)
                .putBytes(data)
                .send();
    }

    int release(long handle) {
        return begin(18, 0).putLong(handle).putInt(0, 0).putLong(0).send();
    }

    int makeDirectory(long parent, String name, int mode) {
        return begin(9, parent).putInt(mode, 0).putName(name).send();
    }

    int makeNode(long parent, String name, int mode, int device) {
        return begin(8, parent).putInt(mode, device, 0, 0).putName(name).send();
    }

    int symbolicLink(long parent, String name, String target) {
        return begin(6, parent).putName(name).putName(target).send();
    }

    int link(long existing, long parent, String name) {
        return begin(13, parent).putLong(existing).putName(name).send();
    }

    int unlink(long parent, String name) {
        return begin(10, parent).putName(name).send();
    }

    int removeDirectory(long parent, String name) {
        return begin(11, parent).putName(name).send();
    }

    int rename(long from, String name, long to, String newName, int flags) {
        return begin(45, from)
                .putLong(to)
                .putInt(flags, 0)
                .putName(name)
                .putName(newName)
                .send();
    }

    int readLink(long node) {
        return begin(5, node).send();
    }

    int setAttributes(long node, int valid, long size, long modified, int mode, int uid) {
        return begin(4, node)
                .putInt(valid, 0)
                .putLong(0, size, 0, modified, modified, 0)
                .putInt(0, 0, 0, mode, 0, uid, 0, 0)
                .send();
    }
}
