package dev.kagami.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;

/**
 * The static busybox of Debian: one program that is a shell and some 270 commands.
 *
 * @param program its bytes, an x86-64 ELF executable
 */
record Busybox(byte[] program) {

    private static final String PROGRAM = "busybox";
    private static final int MAX_PROGRAM_BYTES = 32 << 20;

    /** How to get it. */
    static final PackageStore.Recipe RECIPE = new Recipe();

    /** Reads it from the store. */
    static Busybox of(PackageStore.Entry entry) {
        Path file = entry.directory().resolve(PROGRAM);
        try {
            return new Busybox(Files.readAllBytes(file));
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't read " + file + ": " + e, e);
        }
    }

    private static final class Recipe implements PackageStore.Recipe {
        @Override
        public String name() {
            return "busybox-static";
        }

        @Override
        public List<String> candidates() {
            return List.of("busybox-static");
        }

        @Override
        public boolean needs(String dependency) {
            return false;
        }

        @Override
        public boolean isEssential(String file) {
            return true;
        }

        @Override
        public void unpack(SequencedMap<String, Path> packages, Path into) throws IOException {
            Path deb = packages.lastEntry().getValue();
            Path program = into.resolve(PROGRAM);
            new DebPackage(deb).visit((path, content) -> {
                // Since Debian 13, packages say where /bin really is.
                boolean found = path.equals("bin/busybox") || path.equals("usr/bin/busybox");
                if (found) {
                    Files.write(program, DebPackage.readAll(content, MAX_PROGRAM_BYTES));
                }
                return !found;
            });
            if (!Files.exists(program)) {
                throw ImageException.invalidPackage("The package " + deb.getFileName() + " has no bin/busybox", null);
            }
        }
    }
}
