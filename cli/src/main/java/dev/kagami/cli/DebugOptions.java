package dev.kagami.cli;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.Trace;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What the options say about looking into the machine. */
final class DebugOptions {
    static final String HEADING = "%nLooking inside:%n";

    @Option(
            names = "--stats",
            description = "At the end, print to standard error: guest instructions, MIPS, exits by reason, share of"
                    + " instructions run without the virtual machine monitor's help.")
    private boolean stats;

    @Option(
            names = "--debug-exit",
            paramLabel = "PORT",
            converter = PortConverter.class,
            description = "End with status (v<<1)|1 when the guest writes v to this port, for example 0xf4.")
    private @Nullable Integer debugExit;

    @Option(
            names = "--test-device",
            description =
                    "Add the device of bare-metal test kernels: latches at ports 0xe0 and 0xe8, page flush at 0xe4,"
                            + " interrupt lines at 0x2000-0x2017, 64 KiB of plain MMIO at 0xff000000; and the firmware"
                            + " configuration at 0x510 that tells them of CPUs and memory.")
    private boolean testDevice;

    @Option(
            names = "--trace",
            arity = "0..1",
            paramLabel = "WHAT",
            fallbackValue = "exec",
            description = "Print every executed instruction (exec, also without WHAT) or every port and memory-mapped"
                    + " access (exits). Slow.")
    private @Nullable TraceKind trace;

    @Option(
            names = "--trace-file",
            paramLabel = "FILE",
            description = "Where to print the trace. Default: standard error.")
    private @Nullable Path traceFile;

    /** {@return whether counters are to be printed at the end} */
    boolean stats() {
        return stats;
    }

    /**
     * Opens what the trace is printed to.
     *
     * @param raw whether the terminal is in raw mode then
     * @return the stream, to be closed
     */
    PrintStream openTrace(boolean raw) {
        if (traceFile == null) {
            return new PrintStream(new StandardError(raw), true, StandardCharsets.UTF_8);
        }
        try {
            return new PrintStream(Files.newOutputStream(traceFile), false, StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "--trace-file %s: can't be written (%s)".formatted(traceFile, e.getMessage()),
                    "name a file in a directory that you may write to",
                    e);
        }
    }

    void addTo(VirtualMachineConfig.Builder c, PrintStream traceOutput) {
        c.testDevice(testDevice)
                .trace(
                        switch (trace) {
                            case null -> new Trace.Off();
                            case EXEC -> new Trace.Instructions(traceOutput);
                            case EXITS -> new Trace.Exits(traceOutput);
                        });
        if (debugExit != null) {
            c.debugExit(debugExit);
        }
    }

    /** Standard error, not closed with the trace, with the line ends that a terminal in raw mode wants. */
    private static final class StandardError extends OutputStream {
        private final OutputStream output = new FileOutputStream(FileDescriptor.err);
        private final boolean raw;

        StandardError(boolean raw) {
            this.raw = raw;
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (!raw) {
                output.write(bytes, offset, length);
                return;
            }
            String text = new String(bytes, offset, length, StandardCharsets.ISO_8859_1);
            output.write(text.replace("\n", "\r\n").getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    private static final class PortConverter implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            try {
                return Integer.decode(value);
            } catch (NumberFormatException e) {
                throw new TypeConversionException("'%s' is not a port number; write for example 0xf4".formatted(value));
            }
        }
    }
}
