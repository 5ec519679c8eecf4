package dev.kagami.agent;

import java.io.OutputStream;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What to run in a guest.
 *
 * @param command a line for the guest's {@code /bin/sh}
 * @param environment variables beside those the agent has itself
 * @param directory where it runs, or null for where the agent does, {@code /} usually
 * @param user who runs it, or null for root
 * @param output takes the standard output, or null to have {@link GuestProcess#getInputStream}
 * @param error takes the standard error, or null to have {@link GuestProcess#getErrorStream}
 * @param window the size of its terminal, which is its standard input, output and error; or null for three pipes
 */
public record GuestCommand(
        String command,
        Map<String, String> environment,
        @Nullable String directory,
        @Nullable String user,
        @Nullable OutputStream output,
        @Nullable OutputStream error,
        @Nullable Window window) {
    /**
     * The size of a terminal.
     *
     * @param columns width in characters, 1 to 65535
     * @param rows height in characters, 1 to 65535
     */
    public record Window(int columns, int rows) {
        private static final int MAX = 0xFFFF;

        /** Checks the numbers. */
        public Window {
            check(columns, rows);
        }

        /**
         * Checks a size.
         *
         * @param columns width in characters
         * @param rows height in characters
         * @throws IllegalArgumentException if one isn't 1 to 65535
         */
        public static void check(int columns, int rows) {
            if (columns < 1 || columns > MAX || rows < 1 || rows > MAX) {
                throw new IllegalArgumentException(
                        "a terminal has 1 to %d columns and rows, not %d and %d".formatted(MAX, columns, rows));
            }
        }
    }

    private static final String NAME = "[A-Za-z_][A-Za-z0-9_]*";

    /** Checks what the shell could not take as it is. */
    public GuestCommand {
        environment = Map.copyOf(environment);
        for (String name : environment.keySet()) {
            if (!name.matches(NAME)) {
                throw new IllegalArgumentException("not a variable's name: " + name);
            }
        }
        if (command.indexOf('\0') >= 0 || environment.values().stream().anyMatch(value -> value.indexOf('\0') >= 0)) {
            throw new IllegalArgumentException("a command can't have zero bytes in it");
        }
    }

    /**
     * Describes a command with nothing special.
     *
     * @param command a line for the shell
     * @return the description
     */
    public static GuestCommand of(String command) {
        return new GuestCommand(command, Map.of(), null, null, null, null, null);
    }

    /** {@return a word for a POSIX shell that stands for a text, whatever is in it} */
    public static String quote(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }

    /** {@return all of it as one script} */
    String script() {
        StringBuilder script = new StringBuilder();
        environment.forEach((name, value) -> script.append("export ")
                .append(name)
                .append('=')
                .append(quote(value))
                .append('\n'));
        if (directory != null) {
            // "./" for names that start with a hyphen.
            String path = directory.startsWith("/") ? directory : "./" + directory;
            script.append("cd ").append(quote(path)).append(" || exit 126\n");
        }
        if (user == null) {
            return script.append(command).toString();
        }
        return script.append("exec su -s /bin/sh -c ")
                .append(quote(command))
                .append(' ')
                .append(quote(user))
                .toString();
    }
}
