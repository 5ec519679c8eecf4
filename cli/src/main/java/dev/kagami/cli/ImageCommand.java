package dev.kagami.cli;

import dev.kagami.control.Machines;
import dev.kagami.vm.CachedImage;
import dev.kagami.vm.DiskImage;
import dev.kagami.vm.DiskImage.Compression;
import dev.kagami.vm.DiskImage.Format;
import dev.kagami.vm.DiskImage.Repair;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kagami image}: each method is a command of its own. */
@Command(
        name = "image",
        description = "Makes, describes, changes and checks disk images: raw and qcow2.",
        subcommands = CommandLine.HelpCommand.class,
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        footer = {
            "",
            "Sizes are in bytes, or have a unit K, M, G, T or P, which is a power of 1024: 512M, 10G.",
            "No command overwrites a file, and none touches an image that a machine has open for writing.",
            "",
            "Run 'kagami image COMMAND --help' for the options of a command."
        })
final class ImageCommand implements Runnable {
    private static final String STATUS = "%nExit status:%n";
    private static final String STATUS_OK = "0:done";
    private static final String STATUS_FAILED = "1:it could not be done; the message on standard error names the cause";
    private static final String STATUS_USAGE = "2:the command line is wrong";
    private static final String FORMAT_OF_IMAGE =
            "Format of the image: ${COMPLETION-CANDIDATES}. Default: what the file looks like.";
    private static final String FORMAT_OF_NEW =
            "Format of the new image: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.";
    private static final String CLUSTER_SIZE =
            "Unit in which a qcow2 image takes space, a power of two from 512 to 2M. Default: 64K.";

    /** As qemu-img check has it, for the scripts that rely on it. */
    private static final int CHECK_ERRORS = 2;

    private static final int CHECK_LEAKS = 3;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Missing command");
    }

    @Command(
            description = "Creates an image that reads as zeros, or one over a backing file.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeListHeading = STATUS,
            exitCodeList = {STATUS_OK, STATUS_FAILED, STATUS_USAGE})
    void create(
            @Parameters(paramLabel = "FILE", description = "The new image; must not exist.") Path file,
            @Parameters(
                            paramLabel = "SIZE",
                            arity = "0..1",
                            converter = DiskSize.AbsoluteConverter.class,
                            description = "Size of the disk, such as 10G. Default: that of the backing file.")
                    @Nullable
                    Long size,
            @Option(
                            names = {"-f", "--format"},
                            paramLabel = "FORMAT",
                            defaultValue = "qcow2",
                            description = FORMAT_OF_NEW)
                    Format format,
            @Option(
                            names = "--cluster-size",
                            paramLabel = "SIZE",
                            converter = DiskSize.ClusterConverter.class,
                            description = CLUSTER_SIZE)
                    @Nullable
                    Integer clusterSize,
            @Option(
                            names = {"-b", "--backing"},
                            paramLabel = "FILE",
                            description = "Image that shows where the new one, a qcow2 image, was not written. It must"
                                    + " not change any more.")
                    @Nullable
                    Path backing,
            @Option(
                            names = {"-F", "--backing-format"},
                            paramLabel = "FORMAT",
                            description = "Format of the backing file: ${COMPLETION-CANDIDATES}. Default: what the file"
                                    + " looks like.")
                    @Nullable
                    Format backingFormat) {
        if (backing != null) {
            require("create", format == Format.QCOW2, "--backing needs --format qcow2");
            require("create", clusterSize == null, "--backing and --cluster-size exclude each other");
            DiskImage.createOver(file, backing, backingFormat, size);
            return;
        }
        require("create", backingFormat == null, "--backing-format needs --backing");
        if (size == null) {
            throw usage("create", "Missing required parameter: 'SIZE' (only --backing gives one)");
        }
        DiskImage.create(file, size, options("create", format, Compression.NONE, clusterSize));
    }

    @Command(
            description = "Tells what an image is.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeListHeading = STATUS,
            exitCodeList = {STATUS_OK, STATUS_FAILED, STATUS_USAGE})
    void info(
            @Parameters(paramLabel = "FILE", description = "The image.") Path file,
            @Option(
                            names = {"-f", "--format"},
                            paramLabel = "FORMAT",
                            description = FORMAT_OF_IMAGE)
                    @Nullable
                    Format format,
            @Option(names = "--json", description = "Print a JSON object, on one line.") boolean json) {
        DiskImage.Info info = DiskImage.info(file, format);
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? info.json() : info.text());
        out.flush();
    }

    @Command(
            description =
                    "Makes the disk of an image larger. The guest's partitions and file systems stay as they are.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeListHeading = STATUS,
            exitCodeList = {STATUS_OK, STATUS_FAILED, STATUS_USAGE})
    void resize(
            @Parameters(paramLabel = "FILE", description = "The image.") Path file,
            @Parameters(
                            paramLabel = "SIZE",
                            converter = DiskSize.Converter.class,
                            description = "New size of the disk, such as 20G, or how much to add, such as +10G.")
                    DiskSize size,
            @Option(
                            names = {"-f", "--format"},
                            paramLabel = "FORMAT",
                            description = FORMAT_OF_IMAGE)
                    @Nullable
                    Format format) {
        long before = size.added() ? DiskImage.info(file, format).size() : 0;
        require("resize", size.bytes() <= Long.MAX_VALUE - before, "The sum is more than a disk can have");
        DiskImage.resize(file, format, before + size.bytes());
    }

    @Command(
            description = "Copies an image, and what its backing files show, to a new one. Zeros take no space there.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeListHeading = STATUS,
            exitCodeList = {STATUS_OK, STATUS_FAILED, STATUS_USAGE})
    void convert(
            @Parameters(paramLabel = "SOURCE", description = "The image to copy.") Path source,
            @Parameters(paramLabel = "TARGET", description = "The new image; must not exist.") Path target,
            @Option(
                            names = {"-f", "--format"},
                            paramLabel = "FORMAT",
                            defaultValue = "qcow2",
                            description = FORMAT_OF_NEW)
                    Format format,
            @Option(
                            names = {"-s", "--source-format"},
                            paramLabel = "FORMAT",
                            description = FORMAT_OF_IMAGE)
                    @Nullable
                    Format sourceFormat,
            @Option(
                            names = {"-c", "--compression"},
                            paramLabel = "HOW",
                            defaultValue = "none",
                            description =
                                    "Compress a qcow2 image: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
                    Compression compression,
            @Option(
                            names = "--cluster-size",
                            paramLabel = "SIZE",
                            converter = DiskSize.ClusterConverter.class,
                            description = CLUSTER_SIZE)
                    @Nullable
                    Integer clusterSize) {
        DiskImage.Options options = options("convert", format, compression, clusterSize);
        try (ProgressBar bar = ProgressBar.onStandardError(spec.commandLine().getErr())) {
            DiskImage.convert(source, sourceFormat, target, options, bar::show);
        }
    }

    @Command(
            description = "Looks for contradictions in the tables of a qcow2 image.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeOnInvalidInput = Kagami.FAILED,
            exitCodeListHeading = STATUS,
            exitCodeList = {
                "0:nothing is wrong, or not any more",
                "1:the check could not be done, or the command line is wrong",
                "2:there are errors, which may cost data",
                "3:there are leaks, space that is lost, but no errors"
            })
    int check(
            @Parameters(paramLabel = "FILE", description = "The image. A raw one has no tables.") Path file,
            @Option(
                            names = {"-f", "--format"},
                            paramLabel = "FORMAT",
                            description = FORMAT_OF_IMAGE)
                    @Nullable
                    Format format,
            @Option(
                            names = {"-r", "--repair"},
                            paramLabel = "WHAT",
                            defaultValue = "nothing",
                            description =
                                    "What to correct: ${COMPLETION-CANDIDATES}. Freeing leaks is safe; copy the image"
                                            + " before correcting all. Default: ${DEFAULT-VALUE}.")
                    Repair repair) {
        DiskImage.Check check = DiskImage.check(file, format, repair);
        PrintWriter out = spec.commandLine().getOut();
        check.messages().forEach(out::println);
        if (check.repairedErrors() + check.repairedLeaks() > 0) {
            out.printf("corrected: %d errors, %d leaked clusters%n", check.repairedErrors(), check.repairedLeaks());
        }
        out.printf("found: %d errors, %d leaked clusters%n", check.errors(), check.leaks());
        if (check.totalClusters() > 0) {
            out.printf("allocated: %d of %d clusters%n", check.allocatedClusters(), check.totalClusters());
        }
        out.flush();
        if (check.errors() > 0) {
            return CHECK_ERRORS;
        }
        return check.leaks() > 0 ? CHECK_LEAKS : 0;
    }

    @Command(
            description =
                    "Fetches an image for 'kagami run --image', or asks whether there is a newer one, and prints where"
                            + " it is. That file must not be written.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeListHeading = STATUS,
            exitCodeList = {STATUS_OK, STATUS_FAILED, STATUS_USAGE})
    void fetch(
            @Parameters(
                            paramLabel = "SOURCE",
                            description =
                                    "An http, https or file address, or a path: a raw or qcow2 image, also packed with"
                                            + " gzip or xz, perhaps in a tar.")
                    String source,
            @Option(
                            names = {"-d", "--digest"},
                            paramLabel = "DIGEST",
                            description =
                                    "What must come: sha256:0123..., sha512:0123..., or a file or address, also one"
                                            + " relative to SOURCE, such as SHA256SUMS. Default: what comes the first time is"
                                            + " trusted.")
                    @Nullable
                    String digest) {
        CachedImage image;
        try (ProgressBar bar = ProgressBar.onStandardError(spec.commandLine().getErr())) {
            image = CachedImage.refresh(source, digest, bar::show);
        }
        PrintWriter out = spec.commandLine().getOut();
        out.println(image.file());
        out.flush();
    }

    @Command(
            description = "Lists the images that were fetched, the latest used first.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeListHeading = STATUS,
            exitCodeList = {STATUS_OK, STATUS_FAILED, STATUS_USAGE})
    void list() {
        PrintWriter out = spec.commandLine().getOut();
        out.printf("%-6s %7s  %-10s  %-19s  %s%n", "FORMAT", "SIZE", "USED", "DIGEST", "SOURCE");
        for (CachedImage image : CachedImage.list()) {
            out.printf(
                    "%-6s %7s  %tF  %.19s  %s%n",
                    image.format(),
                    size(image.size()),
                    image.used().atZone(ZoneId.systemDefault()),
                    image.digest(),
                    image.source());
        }
        out.flush();
    }

    @Command(
            description =
                    "Deletes images that were fetched, but those that a machine's disk rests on, and what has come of unfinished"
                            + " fetches.",
            mixinStandardHelpOptions = true,
            versionProvider = Kagami.Version.class,
            sortOptions = false,
            usageHelpAutoWidth = true,
            exitCodeListHeading = STATUS,
            exitCodeList = {STATUS_OK, STATUS_FAILED, STATUS_USAGE})
    void prune(
            @Option(
                            names = "--unused-for",
                            paramLabel = "DAYS",
                            defaultValue = "0",
                            description = "Delete only what wasn't used for so many days. Default: everything.")
                    int days) {
        require("prune", days >= 0, "--unused-for can't be negative");
        PrintWriter out = spec.commandLine().getOut();
        Instant before = Instant.now().minus(Duration.ofDays(days));
        for (CachedImage.Pruned pruned : CachedImage.prune(MachineCommands.bases(Machines.ofUser()), before)) {
            out.printf("deleted %s (%s)%n", pruned.source(), size(pruned.bytes()));
        }
        out.flush();
    }

    private static String size(long bytes) {
        return bytes < 1 << 20
                ? "%d K".formatted(bytes + 1023 >> 10)
                : bytes < 1 << 30 ? "%d M".formatted(bytes >> 20) : "%.1f G".formatted(bytes / (double) (1 << 30));
    }

    private DiskImage.Options options(
            String command, Format format, Compression compression, @Nullable Integer clusterSize) {
        boolean qcow2 = format == Format.QCOW2;
        require(command, qcow2 || clusterSize == null, "--cluster-size needs --format qcow2");
        require(command, qcow2 || compression == Compression.NONE, "--compression needs --format qcow2");
        return new DiskImage.Options(
                format, compression, clusterSize == null ? DiskImage.Options.DEFAULT_CLUSTER_SIZE : clusterSize);
    }

    private void require(String command, boolean condition, String message) {
        if (!condition) {
            throw usage(command, message);
        }
    }

    private ParameterException usage(String command, String message) {
        return new ParameterException(spec.subcommands().get(command), message);
    }
}
