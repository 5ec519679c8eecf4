package dev.kagami.virtio.disk;

import dev.kagami.block.BlockCompletion;
import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockImage;
import dev.kagami.block.BlockRequest;
import dev.kagami.block.BlockStatus;
import dev.kagami.virtio.DescriptorChain;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** One request of a disk's queue (virtio 1.2, 5.2.6), used again and again. */
final class DiskRequest implements BlockCompletion {
    private static final int TYPE_IN = 0;
    private static final int TYPE_OUT = 1;
    private static final int TYPE_FLUSH = 4;
    private static final int TYPE_GET_ID = 8;
    private static final int TYPE_DISCARD = 11;
    private static final int TYPE_WRITE_ZEROES = 13;
    private static final int STATUS_OK = 0;
    private static final int STATUS_ERROR = 1;
    private static final int STATUS_UNSUPPORTED = 2;
    private static final int STATUS_SIZE = 1;

    private static final int RANGE_SIZE = 16;
    private static final int RANGE_UNMAP = 1;

    /** A request may move so many bytes; far more than drivers ask for, and it doesn't keep anyone waiting for long. */
    private static final long MAX_TRANSFER = 64L << 20;

    private static final long MAX_SECTOR = Long.MAX_VALUE / BlockImage.SECTOR_SIZE;

    private final DiskQueue queue;
    private final BlockDevice disk;
    private final DescriptorChain chain;
    private final MemorySegment ram;
    private final boolean writeThrough;
    private final BlockRequest request = new BlockRequest(this);
    /** Bytes that the request reads from the disk. */
    private long toGuest;

    private boolean flushAfter;
    private boolean zeroes;
    private int ranges;
    private int nextRange;
    private final long[] starts = new long[DiskDevice.MAX_RANGES];
    private final long[] lengths = new long[DiskDevice.MAX_RANGES];
    private final boolean[] unmap = new boolean[DiskDevice.MAX_RANGES];

    DiskRequest(DiskQueue queue) {
        this.queue = queue;
        this.disk = queue.config().disk();
        this.chain = new DescriptorChain(queue.context().memory());
        this.ram = queue.context().memory().segment();
        // A driver that can't flush counts on every write being stable (virtio 1.2, 5.2.5.2).
        this.writeThrough = !queue.context().has(DiskDevice.FEATURE_FLUSH);
    }

    DescriptorChain chain() {
        return chain;
    }

    /** Starts what the chain asks for; ends with {@link DiskQueue#finished}, perhaps before this returns. */
    void start() {
        toGuest = 0;
        flushAfter = false;
        ranges = 0;
        nextRange = 0;
        int type = chain.readInt();
        chain.readInt();
        long sector = chain.readLong();
        if (chain.writable() < STATUS_SIZE) {
            chain.writeLastByte(STATUS_ERROR);
        }
        switch (type) {
            case TYPE_IN -> startRead(sector);
            case TYPE_OUT -> startWrite(sector);
            case TYPE_FLUSH -> disk.submit(request.flush());
            case TYPE_GET_ID -> identify();
            case TYPE_DISCARD -> startRanges(false, DiskDevice.MAX_DISCARDED_SECTORS);
            case TYPE_WRITE_ZEROES -> startRanges(true, DiskDevice.MAX_ZEROED_SECTORS);
            default -> finish(STATUS_UNSUPPORTED);
        }
    }

    private static boolean isWrong(long sector, long bytes) {
        return sector < 0 || sector >= MAX_SECTOR || bytes > MAX_TRANSFER || bytes % BlockImage.SECTOR_SIZE != 0;
    }

    private void startRead(long sector) {
        long bytes = chain.writable() - STATUS_SIZE;
        if (isWrong(sector, bytes)) {
            finish(STATUS_ERROR);
            return;
        }
        request.read(sector * BlockImage.SECTOR_SIZE);
        for (long rest = bytes; rest > 0; ) {
            long piece = Math.min(rest, chain.writablePiece());
            request.add(ram, chain.writableOffset(), piece);
            chain.skipWritable(piece);
            rest -= piece;
        }
        toGuest = bytes;
        disk.submit(request);
    }

    private void startWrite(long sector) {
        long bytes = chain.readable();
        if (isWrong(sector, bytes)) {
            finish(STATUS_ERROR);
            return;
        }
        request.write(sector * BlockImage.SECTOR_SIZE);
        for (long rest = bytes; rest > 0; ) {
            long piece = Math.min(rest, chain.readablePiece());
            request.add(ram, chain.readableOffset(), piece);
            chain.skipReadable(piece);
            rest -= piece;
        }
        flushAfter = writeThrough;
        disk.submit(request);
    }

    private void identify() {
        byte[] serial = queue.config().serial().getBytes(StandardCharsets.US_ASCII);
        int room = (int) Math.min(DiskConfig.MAX_SERIAL, chain.writable() - STATUS_SIZE);
        // Shorter ones end with a zero byte, full ones don't (virtio 1.2, 5.2.6.1).
        chain.write(Arrays.copyOf(serial, DiskConfig.MAX_SERIAL), 0, room);
        toGuest = room;
        finish(STATUS_OK);
    }

    private void startRanges(boolean zero, long maxSectors) {
        long bytes = chain.readable();
        if (bytes == 0 || bytes % RANGE_SIZE != 0 || bytes / RANGE_SIZE > DiskDevice.MAX_RANGES) {
            finish(STATUS_ERROR);
            return;
        }
        zeroes = zero;
        ranges = (int) (bytes / RANGE_SIZE);
        for (int i = 0; i < ranges; i++) {
            long sector = chain.readLong();
            long sectors = chain.readInt() & 0xFFFF_FFFFL;
            int flags = chain.readInt();
            if ((flags & ~(zero ? RANGE_UNMAP : 0)) != 0) {
                finish(STATUS_UNSUPPORTED);
                return;
            }
            if (sector < 0 || sector >= MAX_SECTOR || sectors > maxSectors) {
                finish(STATUS_ERROR);
                return;
            }
            starts[i] = sector * BlockImage.SECTOR_SIZE;
            lengths[i] = sectors * BlockImage.SECTOR_SIZE;
            unmap[i] = (flags & RANGE_UNMAP) != 0;
        }
        flushAfter = writeThrough;
        startRange();
    }

    private void startRange() {
        int range = nextRange++;
        disk.submit(
                zeroes
                        ? request.writeZeroes(starts[range], lengths[range], unmap[range])
                        : request.discard(starts[range], lengths[range]));
    }

    @Override
    public void completed(BlockRequest done, BlockStatus status) {
        if (status != BlockStatus.OK) {
            finish(STATUS_ERROR);
        } else if (nextRange < ranges) {
            startRange();
        } else if (flushAfter) {
            flushAfter = false;
            disk.submit(request.flush());
        } else {
            finish(STATUS_OK);
        }
    }

    private void finish(int status) {
        chain.writeLastByte(status);
        // On failure nothing before the status is defined.
        queue.finished(this, status == STATUS_OK ? toGuest + STATUS_SIZE : STATUS_SIZE);
    }
}
