package dev.kagami.image;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.tukaani.xz.XZInputStream;

/**
 * Reads kernel modules from packages and puts them in order.
 *
 * <p>The packages carry no {@code modules.dep}, which {@code depmod} makes when they are installed, so the dependencies
 * come from where it gets them: the {@code .modinfo} section of each module.
 */
final class KernelModules {

    private static final Pattern PATH = Pattern.compile("(?:usr/)?(lib/modules/[^/]+/kernel/.*?([^/]+)\\.ko)(\\.xz)?");

    private static final int MAX_MODULE_BYTES = 64 << 20;
    private static final int MAX_XZ_MEMORY_KIBIBYTES = 128 << 10;

    /** ELF-64 (System V ABI, chapter 4): offsets in the file header and in a section header. */
    private static final int ELF_MAGIC = 0x464c457f;

    private static final int ELF_HEADER_BYTES = 64;
    private static final int SECTION_TABLE_OFFSET = 0x28;
    private static final int SECTION_COUNT = 0x3c;
    private static final int SECTION_NAMES_INDEX = 0x3e;
    private static final int SECTION_HEADER_BYTES = 64;
    private static final int SECTION_OFFSET = 0x18;
    private static final int SECTION_SIZE = 0x20;

    private KernelModules() {}

    /** Says whether a path in a package is a module's. */
    static boolean isModule(String path) {
        return PATH.matcher(path).matches();
    }

    /**
     * Reads modules and those they depend on.
     *
     * @param packages the packages' files
     * @param names the modules wanted
     * @return the modules, each after its dependencies
     */
    static List<KernelModule> read(List<Path> packages, List<String> names) {
        Map<String, List<String>> dependencies = new HashMap<>();
        visit(packages, (name, path, content) -> dependencies.putIfAbsent(name, dependencies(content.read())));
        SequencedSet<String> order = new LinkedHashSet<>();
        for (String name : names) {
            order(name.replace('-', '_'), dependencies, new LinkedHashSet<>(), order);
        }
        Map<String, KernelModule> modules = new HashMap<>();
        visit(packages, (name, path, content) -> {
            if (order.contains(name) && !modules.containsKey(name)) {
                modules.put(name, new KernelModule(name, path, content.read()));
            }
        });
        return order.stream().map(modules::get).toList();
    }

    /** Adds a module after its dependencies; those that aren't there are built into the kernel. */
    private static void order(
            String name,
            Map<String, List<String>> dependencies,
            SequencedSet<String> open,
            SequencedSet<String> order) {
        if (!dependencies.containsKey(name) || order.contains(name)) {
            return;
        }
        if (!open.add(name)) {
            throw ImageException.invalidPackage("Kernel modules depend on each other in a circle: " + open, null);
        }
        dependencies.get(name).forEach(dependency -> order(dependency, dependencies, open, order));
        open.remove(name);
        order.add(name);
    }

    @FunctionalInterface
    private interface Content {
        byte[] read() throws IOException;
    }

    @FunctionalInterface
    private interface ModuleVisitor {
        void visit(String name, String path, Content content) throws IOException;
    }

    private static void visit(List<Path> packages, ModuleVisitor visitor) {
        for (Path file : packages) {
            new DebPackage(file).visit((path, in) -> {
                Matcher matcher = PATH.matcher(path);
                if (matcher.matches()) {
                    String name = matcher.group(2).replace('-', '_');
                    boolean compressed = matcher.group(3) != null;
                    visitor.visit(name, matcher.group(1), () -> read(in, compressed));
                }
                return true;
            });
        }
    }

    private static byte[] read(InputStream in, boolean compressed) throws IOException {
        byte[] content = DebPackage.readAll(in, MAX_MODULE_BYTES);
        return compressed
                ? DebPackage.readAll(
                        new XZInputStream(new ByteArrayInputStream(content), MAX_XZ_MEMORY_KIBIBYTES), MAX_MODULE_BYTES)
                : content;
    }

    /**
     * Returns the modules that a module depends on.
     *
     * @param module its ELF file
     * @return their names, with underscores
     * @throws IOException if it isn't an ELF-64 file, or its tables point outside of it
     */
    static List<String> dependencies(byte[] module) throws IOException {
        return fields(module, "depends=").stream()
                .flatMap(names -> Stream.of(names.split(",")))
                .filter(name -> !name.isBlank())
                .map(name -> name.replace('-', '_'))
                .toList();
    }

    /**
     * Returns the patterns of the devices that a module is a driver for.
     *
     * @param module its ELF file
     * @return patterns for {@code modalias} files in sysfs
     * @throws IOException as for {@link #dependencies}
     */
    static List<String> aliases(byte[] module) throws IOException {
        return fields(module, "alias=");
    }

    private static List<String> fields(byte[] module, String prefix) throws IOException {
        ByteBuffer elf = ByteBuffer.wrap(module).order(ByteOrder.LITTLE_ENDIAN);
        if (module.length < ELF_HEADER_BYTES || elf.getInt(0) != ELF_MAGIC) {
            throw new IOException("a kernel module isn't an ELF file");
        }
        try {
            return Stream.of(modinfo(elf).split("\0"))
                    .filter(field -> field.startsWith(prefix))
                    .map(field -> field.substring(prefix.length()))
                    .toList();
        } catch (IndexOutOfBoundsException | ArithmeticException e) {
            throw new IOException("a kernel module's sections are outside of its file", e);
        }
    }

    private static String modinfo(ByteBuffer elf) {
        int table = Math.toIntExact(elf.getLong(SECTION_TABLE_OFFSET));
        int count = Short.toUnsignedInt(elf.getShort(SECTION_COUNT));
        int namesHeader =
                Math.addExact(table, Short.toUnsignedInt(elf.getShort(SECTION_NAMES_INDEX)) * SECTION_HEADER_BYTES);
        int names = Math.toIntExact(elf.getLong(namesHeader + SECTION_OFFSET));
        byte[] wanted = ".modinfo\0".getBytes(StandardCharsets.US_ASCII);
        for (int i = 0; i < count; i++) {
            int header = Math.addExact(table, i * SECTION_HEADER_BYTES);
            int name = Math.addExact(names, elf.getInt(header));
            ByteBuffer there = elf.slice(name, Math.min(wanted.length, elf.limit() - name));
            if (there.equals(ByteBuffer.wrap(wanted))) {
                int offset = Math.toIntExact(elf.getLong(header + SECTION_OFFSET));
                int size = Math.toIntExact(elf.getLong(header + SECTION_SIZE));
                byte[] text = new byte[elf.slice(offset, size).remaining()];
                elf.get(offset, text);
                return new String(text, StandardCharsets.UTF_8);
            }
        }
        return "";
    }
}
