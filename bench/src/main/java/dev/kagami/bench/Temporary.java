package dev.kagami.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Directories of files that are only needed for a while. */
final class Temporary {
    private Temporary() {}

    /** Deletes a directory and the files in it. */
    static void delete(Path directory) throws IOException {
        List<Path> names;
        try (Stream<Path> files = Files.list(directory)) {
            names = files.toList();
        }
        for (Path file : names) {
            Files.delete(file);
        }
        Files.delete(directory);
    }
}
