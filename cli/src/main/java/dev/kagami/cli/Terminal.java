package dev.kagami.cli;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The terminal on standard input, in raw mode from {@link #enterRawMode} to {@link #close} or the end of the process.
 * Works through {@code stty}, which every Unix has, so that the command needs no native access.
 */
final class Terminal implements AutoCloseable {
    private static final long STTY_SECONDS = 5;
    private static final Pattern SIZE = Pattern.compile("(\\d{1,4}) (\\d{1,4})");

    private final String settings;
    private final Thread restoreAtExit = new Thread(this::restore, "kagami-terminal-restore");
    private boolean raw;

    /**
     * How large the terminal is.
     *
     * @param columns width in characters, at least 1
     * @param rows height in characters, at least 1
     */
    record Size(int columns, int rows) {}

    private Terminal(String settings) {
        this.settings = settings;
    }

    /** {@return the terminal, or empty when standard input is none} */
    static Optional<Terminal> onStandardInput() {
        return stty("-g").filter(s -> !s.isEmpty()).map(Terminal::new);
    }

    /** {@return how large the terminal is; empty when it doesn't say} */
    Optional<Size> size() {
        return stty("size").flatMap(Terminal::parseSize);
    }

    /** {@return the size in what {@code stty size} prints: rows, a space, columns} */
    static Optional<Size> parseSize(String text) {
        Matcher matcher = SIZE.matcher(text);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        Size size = new Size(Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(1)));
        return size.columns() > 0 && size.rows() > 0 ? Optional.of(size) : Optional.empty();
    }

    /** {@return whether every key goes to the guest from now on, unprocessed; false when the terminal refused} */
    synchronized boolean enterRawMode() {
        if (!raw) {
            Runtime.getRuntime().addShutdownHook(restoreAtExit);
            raw = stty("raw", "-echo").isPresent();
        }
        return raw;
    }

    private synchronized void restore() {
        if (raw) {
            raw = false;
            stty(settings);
        }
    }

    /** Gives the terminal its settings back. */
    @Override
    public void close() {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(restoreAtExit);
        } catch (IllegalStateException e) {
            // The process is ending already, and the hook has nothing left to do.
        }
    }

    /**
     * Calls somebody whenever the terminal's size changes, from now to the end of the process.
     *
     * @param changed called on a thread of its own
     */
    static void onResize(Runnable changed) {
        // Java has no other way to hear of a signal, and its compiler a warning for this one that can't be switched
        // off.
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object proxy = Proxy.newProxyInstance(
                    handler.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) -> {
                        if (method.getName().equals("handle")) {
                            changed.run();
                        }
                        return null;
                    });
            signal.getMethod("handle", signal, handler)
                    .invoke(null, signal.getConstructor(String.class).newInstance("WINCH"), proxy);
        } catch (ReflectiveOperationException e) {
            // A system without that signal, or a JVM without that module: the size stays what it was.
            System.getLogger(Terminal.class.getName()).log(System.Logger.Level.DEBUG, "no news of the size", e);
        }
    }

    private static Optional<String> stty(String... arguments) {
        try {
            ProcessBuilder builder = new ProcessBuilder("stty");
            builder.command().addAll(List.of(arguments));
            Process process = builder.redirectInput(Redirect.INHERIT)
                    .redirectError(Redirect.DISCARD)
                    .start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
            if (!process.waitFor(STTY_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return Optional.empty();
            }
            return process.exitValue() == 0 ? Optional.of(output) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
