package dev.kagami.cli;

import dev.kagami.vm.Disk;
import dev.kagami.vm.VirtualMachineConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** What the options say about disks. */
final class StorageOptions {
    static final String HEADING = "%nDisks:%n";

    @Option(
            names = "--disk",
            paramLabel = "FILE",
            description = "A disk: a raw or qcow2 image that the guest reads and writes; may be given several times."
                    + " Without --kernel, the first one's own kernel is booted.")
    private List<Path> disks = new ArrayList<>();

    @Option(
            names = "--temporary",
            description = "Forget what the guest writes to its disks when it ends; the images are only read.")
    private boolean temporary;

    boolean isEmpty() {
        return disks.isEmpty();
    }

    void addTo(VirtualMachineConfig.Builder c) {
        disks.forEach(disk -> c.disk(temporary ? Disk.temporary(disk) : Disk.of(disk)));
    }
}
