package dev.kagami.image;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** Assembles the root file systems of the default guest and its relatives. */
final class Initramfs {

    private static final int EXECUTABLE = 0755;
    private static final int READABLE = 0644;

    /** Documentation/admin-guide/devices.txt: 5,1 is /dev/console, which the kernel opens for /init. */
    private static final int CONSOLE_MAJOR = 5;

    private static final int CONSOLE_MINOR = 1;

    private Initramfs() {}

    /**
     * Returns the default guest's root file system: a shell on the console.
     *
     * @param busybox a static busybox, as an ELF executable
     */
    static CpioArchive shell(byte[] busybox) {
        return base(busybox)
                .directory("proc", EXECUTABLE)
                .directory("sys", EXECUTABLE)
                .directory("run", EXECUTABLE)
                .directory("tmp", 01777)
                .directory("mnt", EXECUTABLE)
                .directory("sbin", EXECUTABLE)
                .directory("usr/bin", EXECUTABLE)
                .directory("usr/sbin", EXECUTABLE)
                .directory("var/log", EXECUTABLE)
                .directory("root", 0700)
                .file("init", EXECUTABLE, script("init.sh"))
                .file("etc/kagami/session", EXECUTABLE, script("session.sh"))
                .file("etc/profile", READABLE, script("profile.sh"))
                .file("etc/passwd", READABLE, "root:x:0:0:root:/root:/bin/sh\n")
                .file("etc/group", READABLE, "root:x:0:\ntty:x:5:\n")
                .file("etc/hostname", READABLE, "kagami\n")
                .file("etc/hosts", READABLE, "127.0.0.1 localhost kagami\n::1 localhost kagami\n");
    }

    /**
     * Returns a root file system that prints a line and powers off.
     *
     * @param busybox a static busybox, as an ELF executable
     */
    static CpioArchive tiny(byte[] busybox) {
        return base(busybox).file("init", EXECUTABLE, """
                        #!/bin/sh
                        echo '%s'
                        exec /bin/busybox poweroff -f
                        """.formatted(TinyBoot.MARKER));
    }

    private static CpioArchive base(byte[] busybox) {
        return new CpioArchive()
                .directory("dev", EXECUTABLE)
                .characterDevice("dev/console", 0600, CONSOLE_MAJOR, CONSOLE_MINOR)
                .file("bin/busybox", EXECUTABLE, busybox)
                .symbolicLink("bin/sh", "busybox");
    }

    private static byte[] script(String name) {
        try (InputStream in = Initramfs.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new AssertionError("The module has no resource " + name);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
