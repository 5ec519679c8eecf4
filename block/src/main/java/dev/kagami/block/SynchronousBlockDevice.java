package dev.kagami.block;

/** Does each request on the submitter's thread. A flush covers what came before, because that is done already. */
final class SynchronousBlockDevice implements BlockDevice {
    private final BlockImage image;
    private final RequestRunner runner;
    private volatile boolean closed;

    SynchronousBlockDevice(BlockImage image) {
        this.image = image;
        this.runner = new RequestRunner(image);
    }

    @Override
    public BlockImage image() {
        return image;
    }

    @Override
    public void submit(BlockRequest request) {
        request.begin();
        request.complete(closed ? BlockStatus.IO_ERROR : runner.run(request));
    }

    @Override
    public void close() {
        closed = true;
        image.close();
    }
}
