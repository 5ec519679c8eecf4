package dev.kagami.cli;

import dev.kagami.vm.VirtualMachineConfig;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

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

    void addTo(VirtualMachineConfig.Builder c) {
        if (vsock != null) {
            c.vsock(v -> v.bridge(vsock));
        }
    }
}
