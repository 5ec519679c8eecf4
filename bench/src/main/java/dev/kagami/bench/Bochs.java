package dev.kagami.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Bochs, which loads no kernel by itself: it boots a CD-ROM whose boot loader, GRUB, does. */
final class Bochs {
    /** What makes the CD-ROM; the first calls the second. */
    static final List<String> MEDIUM_TOOLS = List.of("grub-mkrescue", "xorriso");

    /** Seconds for making the CD-ROM. */
    private static final int MEDIUM_TIMEOUT = 120;

    /** MiB of guest memory that Bochs keeps in its own; it swaps a larger guest's to a file. */
    private static final int MOST_HOST_MEMORY = 2048;

    /** GRUB's messages go to the serial port, so that what it can't boot is told. */
    private static final String GRUB_CONFIGURATION = """
            serial
            terminal_output serial
            linux /boot/vmlinuz %s
            initrd /boot/initrd
            boot
            """;

    /**
     * Nothing listens, makes a sound or asks; what Bochs can't go on with ends it, and what it calls an error is mostly a
     * guest looking for registers. The rate is about what it does on current hosts, so that the guest's seconds are about
     * real ones.
     */
    private static final String CONFIGURATION = """
            config_interface: textconfig
            display_library: term
            romimage: file=$BXSHARE/BIOS-bochs-latest
            vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest
            cpu: model=corei7_haswell_4770, ips=50000000, reset_on_triple_fault=0
            memory: guest=%d, host=%d
            ata0-master: type=cdrom, path="%s", status=inserted
            boot: cdrom
            com1: enabled=1, mode=file, dev=/dev/stdout
            sound: driver=dummy
            speaker: enabled=0
            log: -
            panic: action=fatal
            error: action=ignore
            info: action=ignore
            debug: action=ignore
            """;

    /**
     * Bochs ends with status 1 when its guest powers off, too, but says so then. Its debugger, which Debian
     * builds in, waits for the command to continue. A pipe, unlike a file, isn't truncated by opening /dev/stdout.
     */
    private static final String RUN = """
            echo c | TERM=vt100 "$0" -q -f "$1" 2>&1 | tee "$2"
            grep -q 'soft power off' "$2"
            """;

    private Bochs() {}

    /**
     * Makes the CD-ROM.
     *
     * @param command the Bochs command
     * @param directory an empty directory for the files that it needs
     * @param kernel a Linux kernel
     * @param initrd its initial RAM disk
     * @param append the kernel's command line
     * @param memory MiB of guest memory
     * @return what boots it to power-off
     * @throws IOException when it can't be made
     * @throws InterruptedException when the calling thread is interrupted
     */
    static Contender prepare(String command, Path directory, Path kernel, Path initrd, String append, int memory)
            throws IOException, InterruptedException {
        Path grub = directory.resolve("grub.cfg");
        Path medium = directory.resolve("boot.iso");
        Path configuration = directory.resolve("bochsrc");
        // To GRUB's shell these are no text; quotation marks mean the same to it and to the kernel.
        Files.writeString(grub, GRUB_CONFIGURATION.formatted(append.replaceAll("[$;|&<>{}#]", "\\\\$0")));
        new Contender(
                        MEDIUM_TOOLS.getFirst(),
                        List.of(
                                MEDIUM_TOOLS.getFirst(),
                                "--output=" + medium,
                                "boot/grub/grub.cfg=" + grub,
                                "boot/vmlinuz=" + kernel.toAbsolutePath(),
                                "boot/initrd=" + initrd.toAbsolutePath()))
                .run(MEDIUM_TIMEOUT);
        Files.writeString(configuration, CONFIGURATION.formatted(memory, Math.min(memory, MOST_HOST_MEMORY), medium));
        String output = directory.resolve("output").toString();
        return new Contender("bochs", List.of("sh", "-c", RUN, command, configuration.toString(), output));
    }
}
