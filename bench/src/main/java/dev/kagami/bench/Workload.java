package dev.kagami.bench;

import java.util.Arrays;
import java.util.Optional;

/** What the guests do; {@code workloads.sh} says how. Of every value, more is better. */
enum Workload {
    SYSBENCH_CPU("sysbench-cpu", "sysbench cpu", "events/s"),
    SYSBENCH_CPU_2("sysbench-cpu-2", "sysbench cpu, 2 threads", "events/s"),
    SYSBENCH_THREADS("sysbench-threads", "sysbench threads, 2 threads", "events/s"),
    MEMORY_1K("memory-1k", "sysbench memory, 1K blocks", "MiB/s"),
    MEMORY_1M("memory-1m", "sysbench memory, 1M blocks", "MiB/s"),
    COPY("copy", "copy of 4 MiB by memcpy", "copies/s"),
    OPENSSL_SHA256("openssl-sha256", "openssl sha256", "MB/s"),
    OPENSSL_AES("openssl-aes", "openssl aes-128-cbc", "MB/s"),
    OPENSSL_RSA("openssl-rsa", "openssl rsa2048 sign", "signs/s"),
    PYTHON("python", "python3 loop of 20,000", "loops/s"),
    GZIP("gzip", "gzip -6 of 1.7 MB of digits", "runs/s"),
    GCC("gcc", "gcc -O2 of a small file", "runs/s"),
    FORK("fork", "fork and exec of /bin/true, 200 times", "runs/s"),
    DISK_READ_4K("disk-read-4k", "disk: 4 KiB direct random read", "reads/s"),
    DISK_READ_1M("disk-read-1m", "disk: 1 MiB direct sequential read", "MiB/s"),
    DISK_WRITE_1M("disk-write-1m", "disk: 1 MiB direct sequential write", "MiB/s"),
    IPERF_OUT("iperf-out", "iperf3 from the guest", "Mbit/s"),
    IPERF_IN("iperf-in", "iperf3 to the guest", "Mbit/s"),
    MEMCACHED("memcached", "memcached, 8 connections of the host", "operations/s");

    private final String id;
    private final String title;
    private final String unit;

    Workload(String id, String title, String unit) {
        this.id = id;
        this.title = title;
        this.unit = unit;
    }

    /** {@return the name in the script and on the command line} */
    String id() {
        return id;
    }

    /** {@return what tables call it} */
    String title() {
        return title;
    }

    /** {@return what its values count} */
    String unit() {
        return unit;
    }

    /** {@return whether the host needs an iperf3 server} */
    boolean needsIperf() {
        return this == IPERF_OUT || this == IPERF_IN;
    }

    /** {@return whether a guest needs a network, which makes it no workload for the host itself} */
    boolean needsNetwork() {
        return needsIperf() || this == MEMCACHED;
    }

    static Optional<Workload> of(String id) {
        return Arrays.stream(values()).filter(w -> w.id.equals(id)).findFirst();
    }
}
