package dev.kagami.bench.devices;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.ImageOptions;
import dev.kagami.block.OpenOptions;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.TestMachine;
import dev.kagami.virtio.disk.DiskConfig;
import dev.kagami.virtio.disk.DiskDevice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Requests a second that a disk answers: 4 KiB at random and 1 MiB in sequence, image in the host's page cache. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 3, time = 2)
public class DiskBenchmark {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final long SIZE = 256L << 20;
    private static final int SMALL = 4096;
    private static final int SMALL_DEPTH = 32;
    private static final int LARGE = 1 << 20;
    private static final int LARGE_DEPTH = 8;
    private static final int SMALL_REQUESTS = 8192;
    private static final int LARGE_REQUESTS = 128;

    /** Format of the image; the qcow2 one is all allocated. */
    @Param({"RAW", "QCOW2"})
    public ImageFormat format = ImageFormat.RAW;

    /**
     * Processor time of the device's thread, seconds for each second. Divided by the throughput it is what a request costs,
     * whatever else runs on the machine.
     */
    @State(Scope.Thread)
    @AuxCounters
    public static class Processor {
        /** Read by JMH. */
        public double deviceBusy;

        /** For JMH. */
        public Processor() {}
    }

    private final TestMachine machine = new TestMachine();
    private Path file = Path.of("");
    private BlockDevice disk;
    private DiskLoad small;
    private DiskLoad large;
    private long deviceThread;

    /** For JMH. */
    public DiskBenchmark() {}

    /** Makes an image and a machine with a disk. */
    @Setup
    public void start() throws IOException {
        Path directory = Files.createTempDirectory("kagami-bench");
        file = directory.resolve("disk");
        DiskImages.create(file, SIZE, ImageOptions.qcow2().withFormat(format));
        BlockImage image = DiskImages.open(file, OpenOptions.readWrite());
        byte[] block = new byte[LARGE];
        new SplittableRandom(1).nextBytes(block);
        for (long at = 0; at < SIZE; at += LARGE) {
            image.write(at, MemorySegment.ofArray(block));
        }
        image.flush();
        disk = BlockDevice.synchronous(image);
        SyntheticDriver driver =
                new SyntheticDriver(machine, machine.addPci(new DiskDevice(DiskConfig.of(disk, "bench")))).start();
        deviceThread = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("kagami-disk bench"))
                .findAny()
                .orElseThrow()
                .threadId();
        small = new DiskLoad(machine, driver.queue(0), SIZE, SMALL, SMALL_DEPTH);
        large = new DiskLoad(machine, driver.queue(0), SIZE, LARGE, LARGE_DEPTH);
    }

    /** Takes it all away. */
    @TearDown
    public void end() throws IOException {
        machine.close();
        disk.close();
        Files.delete(file);
        Files.delete(file.getParent());
    }

    private void measure(Processor processor, Runnable load) {
        long before = THREADS.getThreadCpuTime(deviceThread);
        load.run();
        processor.deviceBusy += (THREADS.getThreadCpuTime(deviceThread) - before) / 1e9;
    }

    /** 4 KiB reads at random places, 32 under way. */
    @Benchmark
    @OperationsPerInvocation(SMALL_REQUESTS)
    public void randomRead4k(Processor processor) {
        measure(processor, () -> small.run(DiskLoad.READ, true, SMALL_REQUESTS));
    }

    /** 4 KiB writes at random places, 32 under way. */
    @Benchmark
    @OperationsPerInvocation(SMALL_REQUESTS)
    public void randomWrite4k(Processor processor) {
        measure(processor, () -> small.run(DiskLoad.WRITE, true, SMALL_REQUESTS));
    }

    /** 1 MiB reads in sequence, 8 under way; an operation is 1 MiB. */
    @Benchmark
    @OperationsPerInvocation(LARGE_REQUESTS)
    public void sequentialRead1M(Processor processor) {
        measure(processor, () -> large.run(DiskLoad.READ, false, LARGE_REQUESTS));
    }

    /** 1 MiB writes in sequence, 8 under way; an operation is 1 MiB. */
    @Benchmark
    @OperationsPerInvocation(LARGE_REQUESTS)
    public void sequentialWrite1M(Processor processor) {
        measure(processor, () -> large.run(DiskLoad.WRITE, false, LARGE_REQUESTS));
    }
}
