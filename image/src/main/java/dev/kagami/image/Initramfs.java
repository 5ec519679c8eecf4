package dev.kagami.image;

import dev.kagami.agent.AgentProgram;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/** Assembles the root file systems of the default guest and its relatives. */
final class Initramfs {

    private static final int EXECUTABLE = 0755;
    private static final int READABLE = 0644;

    /** Documentation/admin-guide/devices.txt: 5,1 is /dev/console, which the kernel opens for /init. */
    private static final int CONSOLE_MAJOR = 5;

    private static final int CONSOLE_MINOR = 1;

    private Initramfs() {}

    /** What the default guest's init loads when it finds the devices. */
    static final List<String> MODULES = List.of(
            "virtio_pci",
            "virtio_blk",
            "virtio_net",
            "virtio_console",
            "virtio_rng",
            "virtio_balloon",
            "vmw_vsock_virtio_transport",
            "virtiofs",
            "ext4",
            "pvpanic_mmio",
            "button",
            "evdev");

    /**
     * Returns the default guest's root file system: a shell on the console, and an agent.
     *
     * @param busybox a static busybox, as an ELF executable
     * @param release the kernel's release
     * @param modules the kernel's modules, with those they depend on
     */
    static CpioArchive shell(byte[] busybox, String release, List<KernelModule> modules) throws IOException {
        CpioArchive archive = base(busybox)
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
                .file("etc/hosts", READABLE, "127.0.0.1 localhost kagami\n::1 localhost kagami\n")
                .file("etc/kagami/dhcp", EXECUTABLE, script("dhcp.sh"))
                .file("etc/kagami/serve", EXECUTABLE, script("agent.sh"))
                .file("etc/kagami/kagami-agent", EXECUTABLE, AgentProgram.executable());
        String directory = "lib/modules/" + release + "/";
        for (KernelModule module : modules) {
            archive.file(module.path(), READABLE, module.content());
        }
        // What depmod(8) would make; modprobe reads them.
        return archive.file(directory + "modules.dep", READABLE, dependencies(directory, modules))
                .file(directory + "modules.alias", READABLE, aliases(modules));
    }

    /** Returns modules.dep: each module, and all it needs, the last one first. */
    private static String dependencies(String directory, List<KernelModule> modules) throws IOException {
        Map<String, Set<String>> needs = new HashMap<>();
        // Modules come after those they need.
        SequencedMap<String, String> paths = new LinkedHashMap<>();
        StringBuilder text = new StringBuilder();
        for (KernelModule module : modules) {
            Set<String> all = new HashSet<>();
            for (String name : KernelModules.dependencies(module.content())) {
                all.add(name);
                all.addAll(needs.getOrDefault(name, Set.of()));
            }
            needs.put(module.name(), all);
            String path = module.path().substring(directory.length());
            text.append(path).append(':');
            paths.reversed().forEach((name, file) -> {
                if (all.contains(name)) {
                    text.append(' ').append(file);
                }
            });
            text.append('\n');
            paths.put(module.name(), path);
        }
        return text.toString();
    }

    private static String aliases(List<KernelModule> modules) throws IOException {
        StringBuilder text = new StringBuilder();
        for (KernelModule module : modules) {
            for (String alias : KernelModules.aliases(module.content())) {
                text.append("alias %s %s\n".formatted(alias, module.name()));
            }
        }
        return text.toString();
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

    static byte[] script(String name) {
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
