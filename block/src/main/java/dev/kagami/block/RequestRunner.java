package dev.kagami.block;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/** Does requests on the calling thread. Thread-safe. */
final class RequestRunner {
    private static final Logger LOGGER = System.getLogger(RequestRunner.class.getName());

    /** Many small pieces are gathered in here: one system call for all costs less than one for each. */
    private static final int BOUNCE_SIZE = 1 << 20;

    /** A piece as large as this is worth a system call of its own. */
    private static final int LARGE_PIECE = 64 << 10;

    private static final ThreadLocal<MemorySegment> BOUNCE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(BOUNCE_SIZE));

    private final BlockImage image;
    private final AtomicBoolean told = new AtomicBoolean();

    RequestRunner(BlockImage image) {
        this.image = image;
    }

    /** Does a request; whatever goes wrong is in the status. */
    BlockStatus run(BlockRequest request) {
        try {
            switch (request.operation()) {
                case READ -> transfer(request, true);
                case WRITE -> transfer(request, false);
                case FLUSH -> image.flush();
                case DISCARD -> image.discard(request.offset(), request.length());
                case WRITE_ZEROES -> image.writeZeroes(request.offset(), request.length(), false);
                case WRITE_ZEROES_UNMAP -> image.writeZeroes(request.offset(), request.length(), true);
            }
            return BlockStatus.OK;
        } catch (BlockException e) {
            BlockStatus status = BlockStatus.of(e);
            // A guest can ask for nonsense as often as it likes; the host's own trouble is worth a line, once.
            if (status != BlockStatus.OUT_OF_RANGE && status != BlockStatus.READ_ONLY && !told.getAndSet(true)) {
                LOGGER.log(Level.WARNING, "%s (%s); further errors are not logged".formatted(e.getMessage(), e.hint()));
            }
            return status;
        } catch (RuntimeException | OutOfMemoryError e) {
            if (!told.getAndSet(true)) {
                LOGGER.log(Level.ERROR, "request to %s failed".formatted(image.file()), e);
            }
            return BlockStatus.IO_ERROR;
        }
    }

    private void transfer(BlockRequest request, boolean read) {
        long offset = request.offset();
        if (offset < 0 || request.length() > image.size() - offset) {
            throw BlockException.outOfRange(image.file(), offset, request.length(), image.size());
        }
        int pieces = request.pieces();
        int index = 0;
        while (index < pieces) {
            if (request.pieceLength(index) >= LARGE_PIECE || index + 1 == pieces) {
                MemorySegment piece = request.piece(index);
                if (read) {
                    image.read(offset, piece);
                } else {
                    image.write(offset, piece);
                }
                offset += piece.byteSize();
                index++;
                continue;
            }
            int end = index;
            long bytes = 0;
            while (end < pieces
                    && request.pieceLength(end) < LARGE_PIECE
                    && bytes + request.pieceLength(end) <= BOUNCE_SIZE) {
                bytes += request.pieceLength(end++);
            }
            MemorySegment bounce = BOUNCE.get().asSlice(0, bytes);
            if (read) {
                image.read(offset, bounce);
            }
            long at = 0;
            for (int i = index; i < end; i++) {
                MemorySegment piece = request.piece(i);
                MemorySegment part = bounce.asSlice(at, piece.byteSize());
                if (read) {
                    piece.copyFrom(part);
                } else {
                    part.copyFrom(piece);
                }
                at += piece.byteSize();
            }
            if (!read) {
                image.write(offset, bounce);
            }
            offset += bytes;
            index = end;
        }
    }
}
