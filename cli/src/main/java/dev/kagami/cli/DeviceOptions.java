package dev.kagami.cli;

import dev.kagami.vm.Balloon;
import dev.kagami.vm.Port;
import dev.kagami.vm.Share;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What the options say about what connects host and guest beside disks and networks. */
final class DeviceOptions {
    static final String HEADING = "%nBetween host and guest:%n";

    @Option(
            names = "--vsock",
            paramLabel = "PATH",
            description = "Make the Unix socket PATH, through which your programs reach the guest's vsock ports: who"
                    + " connects and sends 'CONNECT PORT' is connected. When the guest connects to port N of the host"
                    + " (context id 2), it reaches the Unix socket PATH_N.")
    private @Nullable Path vsock;

    @Option(
            names = "--share",
            paramLabel = "DIRECTORY:TAG[:ro]",
            converter = ShareConverter.class,
            description =
                    "Share a directory; the guest mounts it by its tag: mount -t virtiofs TAG /mnt. With :ro it can"
                            + " only read; may be repeated.")
    private List<Share> shares = new ArrayList<>();

    @Option(
            names = "--port",
            paramLabel = "NAME=FILE",
            converter = PortConverter.class,
            description = "Give the guest a port /dev/virtio-ports/NAME, and add what it writes there to FILE; may be"
                    + " repeated.")
    private List<Port> ports = new ArrayList<>();

    @Option(
            names = "--hvc",
            description =
                    "Put the terminal on the guest's virtio console hvc0 in place of its first serial port, whose"
                            + " output is dropped. The guest needs console=hvc0 on its command line (--append), or a login there.")
    private boolean hvc;

    @Option(
            names = "--balloon",
            description = "Let the guest report the memory that it doesn't use, which goes back to the host.")
    private boolean balloon;

    /** Connects the terminal, before the other ports, as consoles are numbered in their order. */
    void addTerminal(VirtualMachineConfig.Builder c, InputStream input, OutputStream output) {
        if (hvc) {
            c.port(Port.console("hvc0").streams(input, output));
        } else {
            c.serial(s -> s.input(input).output(output));
        }
    }

    void addTo(VirtualMachineConfig.Builder c) {
        shares.forEach(c::share);
        ports.forEach(c::port);
        if (balloon) {
            c.balloon(Balloon.yielding());
        }
        if (vsock != null) {
            c.vsock(v -> v.bridge(vsock));
        }
    }

    /** Reads {@code DIRECTORY:TAG[:ro]}; the directory may have colons. */
    static final class ShareConverter implements ITypeConverter<Share> {
        private static final String READ_ONLY = ":ro";

        @Override
        public Share convert(String value) {
            boolean readOnly = value.endsWith(READ_ONLY);
            String rest = readOnly ? value.substring(0, value.length() - READ_ONLY.length()) : value;
            int colon = rest.lastIndexOf(':');
            if (colon <= 0 || colon == rest.length() - 1) {
                throw new TypeConversionException("'%s' is not DIRECTORY:TAG[:ro]".formatted(value));
            }
            return new Share(Path.of(rest.substring(0, colon)), rest.substring(colon + 1), readOnly);
        }
    }

    /** Reads {@code NAME=FILE}. */
    private static final class PortConverter implements ITypeConverter<Port> {
        @Override
        public Port convert(String value) {
            int end = value.indexOf('=');
            if (end <= 0 || end == value.length() - 1) {
                throw new TypeConversionException("'%s' is not NAME=FILE".formatted(value));
            }
            return Port.named(value.substring(0, end)).toFile(Path.of(value.substring(end + 1)));
        }
    }
}
