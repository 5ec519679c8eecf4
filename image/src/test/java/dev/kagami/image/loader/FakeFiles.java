package dev.kagami.image.loader;

import dev.kagami.image.disk.FileSystem;
import dev.kagami.image.disk.GuestFile;
import dev.kagami.image.disk.Partition;
import dev.kagami.image.disk.TestDisks;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A file system in memory. */
final class FakeFiles implements FileSystem {

    private final String uuid;
    private final String label;
    private final Map<String, String> files = new HashMap<>();

    private record FakeFile(String path, byte[] content) implements GuestFile {
        @Override
        public long size() {
            return content.length;
        }

        @Override
        public void read(long position, byte[] target, int from, int count) {
            System.arraycopy(content, (int) position, target, from, count);
        }
    }

    FakeFiles(String uuid, String label) {
        this.uuid = uuid;
        this.label = label;
    }

    FakeFiles with(String path, String content) {
        files.put(path, content);
        return this;
    }

    /** Adds files whose content is their path. */
    FakeFiles withPaths(String... paths) {
        for (String path : paths) {
            files.put(path, path);
        }
        return this;
    }

    Volume on(int number) {
        return new Volume(
                new Partition(Partition.Table.GPT, number, "", "part-" + number, "", 0, TestDisks.of(new byte[1])),
                this);
    }

    @Override
    public String type() {
        return "fake";
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public String uuid() {
        return uuid;
    }

    @Override
    public Optional<GuestFile> open(String path) {
        String plain = path.replaceAll("/+", "/");
        return Optional.ofNullable(files.get(plain))
                .map(content -> new FakeFile(plain, content.getBytes(StandardCharsets.UTF_8)));
    }

    @Override
    public List<String> list(String path) {
        String prefix = (path + "/").replaceAll("/+", "/");
        return files.keySet().stream()
                .filter(name -> name.startsWith(prefix))
                .map(name -> name.substring(prefix.length()).replaceAll("/.*", ""))
                .distinct()
                .toList();
    }
}
