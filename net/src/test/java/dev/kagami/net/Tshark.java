package dev.kagami.net;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Wireshark's command, a reader of captures that isn't ours. */
public final class Tshark {
    private Tshark() {}

    /** {@return what it says about a capture; null if it isn't installed} */
    public static @Nullable String read(Path file, String... options) throws IOException, InterruptedException {
        var command = new ArrayList<>(List.of("tshark", "-n", "-r", file.toString()));
        command.addAll(List.of(options));
        Process process;
        try {
            process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException e) {
            return null;
        }
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        if (status != 0) {
            throw new IOException("tshark: status " + status + ", " + out);
        }
        return out;
    }
}
